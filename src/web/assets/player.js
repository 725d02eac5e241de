// The recording: two lanes drawn from stored peaks, heard in the ranges that the browser asks for, marks where something was.
"use strict";

(() => {
  const wave = document.getElementById("wave");
  if (!wave) return;
  const nonce = document.querySelector("script[nonce]").nonce;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const by = (id) => document.getElementById(id);
  // Who stops before the sound has begun finds no fault.
  const fault = (error) => { if (error?.name !== "AbortError") by("sound-fault").hidden = false; };
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  const open = ({ duration, peaks, marks }) => {
    const regions = WaveSurfer.Regions.create();
    const surfer = WaveSurfer.create({
      container: wave, cspNonce: nonce, url: wave.dataset.sound, peaks, duration, normalize: false, height: 88,
      splitChannels: [
        { waveColor: colour("--caller"), progressColor: colour("--soft") },
        { waveColor: colour("--agent"), progressColor: colour("--soft") },
      ],
      cursorColor: colour("--bad"), cursorWidth: 2,
      plugins: [regions, WaveSurfer.Timeline.create({ cspNonce: nonce })],
    });
    const shades = { hold: "rgba(242, 193, 78, .30)", prompt: "rgba(90, 150, 235, .20)", finding: "rgba(214, 69, 63, .75)" };
    surfer.on("ready", () => {
      for (const mark of marks) {
        const end = mark.kind === "finding" ? mark.from : mark.to ?? duration;
        const text = document.createElement("span");
        text.textContent = mark.kind === "finding" ? mark.text : "";
        text.title = mark.text;
        const region = { start: mark.from, end, color: shades[mark.kind], drag: false, resize: false };
        regions.addRegion(mark.kind === "finding" ? { ...region, content: text } : region);
      }
      wave.dataset.ready = "yes";
    });
    surfer.on("error", fault);

    const play = by("play");
    const seek = by("seek");
    seek.max = Math.max(1, Math.floor(duration * 10));
    const go = (s) => surfer.setTime(Math.min(Math.max(s, 0), duration));
    const shift = (s) => go(surfer.getCurrentTime() + s);
    const tell = (s) => {
      by("clock").textContent = `${clock(s)} / ${clock(duration)}`;
      seek.value = Math.floor(s * 10);
      seek.setAttribute("aria-valuetext", clock(s));
    };
    tell(0);
    surfer.on("timeupdate", tell);
    const named = () => { play.firstElementChild.textContent = surfer.isPlaying() ? play.dataset.pause : play.dataset.play; };
    surfer.on("play", named);
    surfer.on("pause", named);
    const toggle = () => surfer.playPause().catch(fault);
    play.addEventListener("click", toggle);
    by("back").addEventListener("click", () => shift(-5));
    by("forth").addEventListener("click", () => shift(5));
    by("speed").addEventListener("change", (event) => surfer.setPlaybackRate(Number(event.target.value), true));
    seek.addEventListener("input", () => go(seek.value / 10));
    document.addEventListener("click", (event) => {
      const at = event.target.closest("button.at");
      if (!at) return;
      // A second before, so that one hears how it came to it.
      go(Number(at.dataset.at) / 1000 - 1);
      surfer.play().catch(fault);
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.target.closest("input, textarea, select, summary, a")) return;
      const key = event.key.toLowerCase();
      if (key === " " && !event.target.closest("button")) toggle();
      else if (key === "j") shift(-5);
      else if (key === "l") shift(5);
      else if (key === "k") toggle();
      else return;
      event.preventDefault();
    });
  };
  fetch(wave.dataset.peaks)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
    .then(open)
    .catch(fault);
})();
