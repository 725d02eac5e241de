// Loss and jitter of both received streams over the call.
"use strict";

(() => {
  const place = document.querySelector("[data-curves]");
  if (!place) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();

  // Both streams on one time line: where one has no point there is a gap.
  const joined = (caller, agent, what) => {
    const times = [...new Set([...caller.at, ...agent.at])].sort((a, b) => a - b);
    const lane = (leg) => {
      const known = new Map(leg.at.map((at, i) => [at, leg[what][i]]));
      return times.map((at) => (known.has(at) ? known.get(at) : null));
    };
    return [times, lane(caller), lane(agent)];
  };
  const draw = ({ caller, agent }, what, label) => {
    const [times, ...lanes] = joined(caller, agent, what);
    if (times.length < 2) return false;
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const line = (name, stroke) => ({ label: name, stroke, width: 2, spanGaps: true, points: { size: 5 } });
    const box = document.createElement("div");
    place.append(box);
    new uPlot({
      title: label, width: place.clientWidth, height: 150, scales: { x: { time: false }, y: { range: (u, min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [{ ...axis, values: (u, all) => all.map((s) => `${s} s`) }, axis],
      series: [{ label: "s" }, line(place.dataset.caller, colour("--caller")), line(place.dataset.agent, colour("--agent"))],
      legend: { live: false },
    }, [times, ...lanes], box);
    return true;
  };
  fetch(place.dataset.curves)
    .then((answer) => answer.json())
    .then((found) => {
      const drawn = draw(found, "loss", place.dataset.loss);
      // A short call has one point, which is no curve.
      place.hidden = !drawn;
      if (drawn) draw(found, "jitter", place.dataset.jitter);
      place.dataset.ready = "yes";
    })
    .catch(() => { place.hidden = true; });
})();
