// Says things to people who listen to the page. One quiet region for all of it: screen readers follow a region only if
// it was there before its text. A dialog has one of its own, as all outside of an open one is hidden from them.

import { find } from "./dom.js";

/** Reads `text` out when the reader is next idle. */
export function announce(text) {
  const region = document.querySelector("dialog[open] [data-announcer]") ?? find("announcer");
  // Cleared first, so that the same text twice is read twice.
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
