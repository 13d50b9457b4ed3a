// Redraws the live part of the page from server-sent events. Without it, the pages work by reload.
"use strict";
(() => {
  const { live, liveText, offlineText, endedText } = document.body.dataset;
  const place = document.getElementById("live");
  const link = document.getElementById("link");
  if (!live || !place || !window.EventSource) return;
  const name = document.title;
  let stream;

  const tell = (text, kind) => {
    link.textContent = text;
    link.className = `link ${kind}`;
    link.hidden = false;
  };

  const count = () => {
    const waiting = place.querySelector("[data-waiting]")?.dataset.waiting;
    document.title = Number(waiting) ? `(${waiting}) ${name}` : name;
  };

  const redraw = (html) => {
    const open = [...place.querySelectorAll("details[open][id]")].map((d) => d.id);
    const focused = place.contains(document.activeElement) && document.activeElement.closest("form,a");
    const target = focused && (focused.action || focused.href);
    place.innerHTML = html;
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    if (target) refocus(target);
    count();
  };

  const refocus = (target) => {
    const same = [...place.querySelectorAll("form,a")].find((e) => (e.action || e.href) === target);
    (same?.querySelector("button") || same)?.focus({ preventScroll: true });
  };

  const connect = () => {
    stream = new EventSource(live);
    stream.addEventListener("open", () => tell(liveText, "on"));
    stream.addEventListener("redraw", (event) => redraw(event.data));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) revive();
      else tell(offlineText, "off");
    });
  };

  // The browser gives up for good on any answer but 200: ask why, and try again unless signed out.
  const revive = async () => {
    tell(offlineText, "off");
    const answer = await fetch("/live/session", { cache: "no-store" }).catch(() => null);
    if (answer?.status === 401) tell(endedText, "off");
    else setTimeout(connect, 3000);
  };

  window.addEventListener("pagehide", () => stream.close());
  window.addEventListener("pageshow", (event) => event.persisted && connect());
  if (location.search) history.replaceState(null, "", location.pathname);
  count();
  connect();
})();
