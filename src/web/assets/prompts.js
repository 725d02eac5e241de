// A recording goes to the server as it is; what is wrong with it is told above the list.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-upload]");
  if (!form) return;
  event.preventDefault();
  const told = document.getElementById("told");
  const say = (text, good) => { told.textContent = text; told.className = good ? "good" : "bad"; };
  const headers = { "content-type": "audio/wav", "hx-request": "true", "x-token": document.body.dataset.token };
  fetch(form.dataset.upload, { method: "POST", headers, body: form.querySelector("input[type=file]").files[0] })
    .then((answer) => answer.text().then((text) => {
      say(text, answer.ok);
      if (!answer.ok) return;
      const sound = form.closest("tr").querySelector("audio");
      sound.load();
      form.reset();
    }))
    .catch(() => say(told.dataset.failed, false));
});
