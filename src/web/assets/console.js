// What every page does: the token of the session goes with what htmx sends; forms that ask first, and go out once.
"use strict";

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  request.headers["x-token"] = document.body.dataset.token;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A form goes out once: whoever clicks twice, or holds Enter, makes one note and is not told that the sheet was sent already.
{
  const AGAIN_MS = 10000;
  let sent = new WeakMap();
  window.addEventListener("pageshow", (event) => { if (event.persisted) sent = new WeakMap(); });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.ask;
    const goes = form.method === "post" && !form.dataset.upload;
    if (goes && Date.now() - (sent.get(form) ?? -AGAIN_MS) < AGAIN_MS) event.preventDefault();
    else if (question && !window.confirm(question)) event.preventDefault();
    else if (goes) sent.set(form, Date.now());
  }, { capture: true });
}
