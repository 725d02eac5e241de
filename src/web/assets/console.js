// What every page does: the token of the session goes with what htmx sends; forms that ask first.
"use strict";

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  request.headers["x-token"] = document.body.dataset.token;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});
