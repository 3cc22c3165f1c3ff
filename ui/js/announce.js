// Says things to people who listen to the page. One quiet region for all of it: screen readers follow a region only if
// it was there before its text.

import { find } from "./dom.js";

/** Reads `text` out when the reader is next idle. */
export function announce(text) {
  const region = find("announcer");
  // Cleared first, so that the same text twice is read twice.
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
