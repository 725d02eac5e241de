// The waveform of the scoring page: both lanes over the player's time, with holds, prompts, findings and pinned comments.
"use strict";

(() => {
  const place = document.getElementById("lanes");
  const sound = document.getElementById("sound");
  if (!place || !sound) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const nonce = document.querySelector("script[nonce]").nonce;
  const shades = { hold: "rgba(242, 193, 78, .30)", prompt: "rgba(90, 150, 235, .20)", finding: "rgba(214, 69, 63, .75)", pin: "rgba(107, 75, 184, .9)" };

  const open = ({ duration, peaks, marks }) => {
    const regions = WaveSurfer.Regions.create();
    const surfer = WaveSurfer.create({
      container: place, cspNonce: nonce, media: sound, peaks, duration, normalize: false, height: 66,
      splitChannels: [
        { waveColor: colour("--caller"), progressColor: colour("--soft") },
        { waveColor: colour("--agent"), progressColor: colour("--soft") },
      ],
      cursorColor: colour("--bad"), cursorWidth: 2, plugins: [regions],
    });
    const add = (kind, from, to, text) => {
      const region = regions.addRegion({ start: from, end: to, color: shades[kind], drag: false, resize: false });
      if (region.element) region.element.title = text;
      return region;
    };
    const pinned = [];
    // The list is the truth; the marks follow it.
    const pin = () => {
      while (pinned.length) pinned.pop().remove();
      for (const at of document.querySelectorAll("#pins .at")) {
        const from = Number(at.dataset.at) / 1000;
        pinned.push(add("pin", from, from, at.parentElement.textContent.trim()));
      }
    };
    surfer.on("ready", () => {
      for (const mark of marks) add(mark.kind, mark.from, mark.kind === "finding" ? mark.from : mark.to ?? duration, mark.text);
      pin();
      const list = document.getElementById("pins");
      if (list) new MutationObserver(pin).observe(list, { childList: true });
      place.dataset.ready = "yes";
    });
  };
  fetch(place.dataset.peaks)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
    .then(open)
    .catch(() => { place.closest(".lanes").hidden = true; });
})();
