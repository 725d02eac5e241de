// The board comes as HTML each second; what has not changed stays, so that focus and selection stay too.
"use strict";

(() => {
  const board = document.getElementById("board");
  const stale = document.getElementById("stale");
  let last = Date.now();
  let leaving = false;
  const events = new EventSource("/live/events");
  events.addEventListener("board", (event) => {
    last = Date.now();
    htmx.swap({ target: board, sourceElement: board, text: event.data, swap: "innerMorph" });
  });
  setInterval(() => {
    const old = Date.now() - last > 5000;
    stale.hidden = !old;
    board.classList.toggle("stale", old);
    // The session is over: the server has ended the stream, and says to whom it goes on when it is asked.
    if (events.readyState === EventSource.CLOSED && !leaving) location.reload();
  }, 1000);
  // Whoever logs out is on the way elsewhere when the stream ends: asking for this page again would call that off.
  window.addEventListener("beforeunload", () => {
    leaving = true;
    setTimeout(() => { leaving = false; }, 10000);
  });
})();
