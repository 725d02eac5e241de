// Scoring: the draft is saved as it is filled, the total follows, and everything can be done by keyboard.
"use strict";

(() => {
  const by = (id) => document.getElementById(id);
  const sound = by("sound");
  if (sound) {
    const shift = (s) => { sound.currentTime = Math.max(0, sound.currentTime + s); };
    document.addEventListener("click", (event) => {
      const at = event.target.closest("button.at");
      if (!at) return;
      // A second before, so that one hears how it came to it.
      sound.currentTime = Math.max(0, Number(at.dataset.at) / 1000 - 1);
      sound.play().catch(() => {});
    });
    by("speed").addEventListener("change", (event) => { sound.playbackRate = Number(event.target.value); });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, audio")) return;
      const key = event.key.toLowerCase();
      if (key === "k") { if (sound.paused) sound.play().catch(() => {}); else sound.pause(); }
      else if (key === "j") shift(-5);
      else if (key === "l") shift(5);
      else return;
      event.preventDefault();
    });
  }
  by("lacking")?.focus();

  const sheet = by("sheet");
  if (!sheet || !sheet.dataset.save) return;
  const items = [...document.querySelectorAll("fieldset.item[data-item]")];
  const saved = by("saved");
  // The timer of what is being typed; the request under way; whether there is more to save; whether the sheet itself was sent.
  let waiting = null;
  let asking = null;
  let more = false;
  let sent = false;

  const tell = (found) => {
    by("total").textContent = found.total;
    by("flags").hidden = found.fatal === 0;
    by("answered").textContent = `${found.answered} / ${found.items}`;
    for (const [id, points] of Object.entries(found.sections)) by(`s-${id}`).textContent = points;
    for (const item of items) item.classList.toggle("lacks", found.missing.includes(item.dataset.item));
  };
  const post = (options, look) => {
    const body = new URLSearchParams(new FormData(sheet));
    if (look) body.set("look", "yes");
    const headers = { "x-token": document.body.dataset.token };
    return fetch(sheet.dataset.save, { method: "POST", headers, body, ...options });
  };
  // One request at a time: an older draft never comes after a newer one, and neither does its total.
  const ask = (look) => {
    asking = Object.assign(new AbortController(), { look });
    post({ signal: asking.signal }, look)
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
      .then((found) => {
        tell(found);
        // A decision is not saved before it is taken.
        if (!look && !more && sheet.action.endsWith("/submit")) saved.textContent = saved.dataset.saved;
      })
      .catch(() => { if (!sent) saved.textContent = saved.dataset.failed; })
      .finally(() => {
        asking = null;
        if (more) save();
      });
  };
  const save = () => {
    clearTimeout(waiting);
    waiting = null;
    saved.textContent = "";
    more = asking !== null;
    if (!more && !sent) ask(false);
  };
  const later = () => {
    clearTimeout(waiting);
    saved.textContent = "";
    waiting = setTimeout(save, 400);
  };
  // A choice is saved at once, words when one pauses.
  sheet.addEventListener("input", (event) => (["radio", "checkbox"].includes(event.target.type) ? save() : later()));
  // What is under way or was to come is in the sheet that is sent.
  sheet.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    sent = true;
    more = false;
    clearTimeout(waiting);
    asking?.abort();
  });
  // Whoever goes elsewhere in the middle of a word keeps it.
  window.addEventListener("beforeunload", () => {
    const isSaved = waiting === null && !more && (asking === null || asking.look);
    if (sent || isSaved) return;
    more = false;
    asking?.abort();
    post({ keepalive: true });
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) sent = false; });
  ask(true);

  // The item in hand: the one with the focus, else the first without an answer.
  const inHand = () => document.activeElement?.closest("fieldset.item[data-item]")
    ?? items.find((item) => !item.querySelector("input:checked"));
  const onward = (from) => {
    const rest = items.slice(items.indexOf(from) + 1).concat(items);
    const next = rest.find((item) => !item.querySelector("input:checked"));
    (next?.querySelector("input[type=radio]") ?? by("submit"))?.focus();
  };
  const choose = (nth) => {
    const item = inHand();
    const radio = item?.querySelectorAll("input[type=radio]")[nth];
    if (!radio) return;
    radio.checked = true;
    save();
    onward(item);
  };

  const pin = () => {
    const text = by("pin-text");
    if (!text.value.trim()) { text.focus(); return; }
    const at = Math.round((sound?.currentTime ?? 0) * 1000);
    const shown = by("pin-shown").checked;
    const line = document.createElement("li");
    const jump = document.createElement("button");
    jump.type = "button";
    jump.className = "at";
    jump.dataset.at = at;
    jump.textContent = `${Math.floor(at / 60000)}:${String(Math.floor(at / 1000) % 60).padStart(2, "0")}`;
    const kept = document.createElement("input");
    kept.type = "hidden";
    kept.name = "pin";
    kept.setAttribute("form", "sheet");
    kept.value = JSON.stringify({ at_ms: at, text: text.value.trim(), shown });
    const off = document.createElement("button");
    off.type = "button";
    off.className = "unpin";
    off.textContent = "×";
    off.setAttribute("aria-label", by("pin").dataset.unpin);
    line.append(jump, ` ${text.value.trim()} `);
    if (!shown) {
      const tag = document.createElement("span");
      tag.className = "tag";
      tag.textContent = by("pin").dataset.internal;
      line.append(tag, " ");
    }
    line.append(kept, off);
    by("pins").append(line);
    text.value = "";
    save();
  };
  by("pin").addEventListener("click", pin);
  by("pin-text").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); pin(); }
  });
  by("pins").addEventListener("click", (event) => {
    const off = event.target.closest("button.unpin");
    if (off) { off.closest("li").remove(); save(); }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) { by("submit")?.click(); event.preventDefault(); return; }
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select")) return;
    const key = event.key.toLowerCase();
    if (key >= "1" && key <= "9") choose(Number(key) - 1);
    else if (key === "n") onward(inHand());
    else if (key === "c") inHand()?.querySelector(".comment input")?.focus();
    else if (key === "m") by("pin-text").focus();
    else return;
    event.preventDefault();
  });
})();
