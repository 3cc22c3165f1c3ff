// How full something is: in words, and as a bar for the eye.

import { make } from "./dom.js";

/** A group for a `dl`: a term, a text such as "3 of 500 booked", and a bar below them. */
export class ShareBar {
  #text = make("span");
  #taken = make("span", { class: "bar-taken" });
  #added = make("span", { class: "bar-added" });
  element;

  constructor(label) {
    this.element = make("div", {},
      make("dt", {}, label),
      // The text holds all of it; screen readers skip the bar.
      make("dd", {}, this.#text,
        make("span", { class: "bar", "aria-hidden": "true" }, this.#taken, this.#added)));
  }

  /** - `taken` and `added`: parts of `whole`, side by side. */
  show(text, { taken, added = 0, whole }) {
    this.#text.textContent = text;
    const takenPercent = percent(taken, whole);
    // Through the object model: a style in the markup would be inline, which the page's policy forbids.
    this.#taken.style.inlineSize = `${takenPercent}%`;
    this.#added.style.inlineSize = `${Math.min(percent(added, whole), 100 - takenPercent)}%`;
  }
}

/** What is there at all shows, however little it is. */
function percent(part, whole) {
  if (!(part > 0) || !(whole > 0)) return 0;
  return Math.max(1, Math.min(100, (part / whole) * 100));
}
