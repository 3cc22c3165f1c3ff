// A button that can't be used for some seconds, and shows how many are left.

import { announce } from "./announce.js";
import { make } from "./dom.js";
import { count, number } from "./format.js";

export class Countdown {
  #button;
  // Hidden from screen readers, which would read it out each second.
  #mark = make("span", { class: "countdown", "aria-hidden": "true" });
  #timer = null;
  #endsAt = 0;
  #seconds = 0;
  #onEnd = () => {};

  /** Must be created before the button's other listeners: while it runs it stops clicks before they reach those. */
  constructor(button) {
    this.#button = button;
    button.addEventListener("click", (event) => {
      if (!this.isRunning) return;
      // A form is not submitted either, by Enter in one of its fields for example.
      event.preventDefault();
      event.stopImmediatePropagation();
      announce(`Wait another ${count(this.#left, "second")}.`);
    });
  }

  get isRunning() {
    return this.#timer !== null;
  }

  /** - `seconds`: whole ones; `null` or 0 does nothing. `onEnd` runs when they are over, not after `stop()`. */
  start(seconds, onEnd = () => {}) {
    this.stop();
    if (!(seconds > 0)) return;
    this.#seconds = seconds;
    this.#onEnd = onEnd;
    // Monotonic: a wall clock that is set back would keep the button disabled for as long.
    this.#endsAt = performance.now() + seconds * 1000;
    // Not `disabled`: that would drop the keyboard from the button it is on.
    this.#button.setAttribute("aria-disabled", "true");
    this.#button.append(this.#mark);
    this.#tick();
  }

  stop() {
    if (!this.isRunning) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#mark.remove();
    this.#button.removeAttribute("aria-disabled");
  }

  /** Never more than at the start: the clock has fractions, which are rounded. */
  get #left() {
    return Math.min(this.#seconds, Math.ceil((this.#endsAt - performance.now()) / 1000));
  }

  #tick() {
    const left = this.#left;
    if (left <= 0) {
      this.stop();
      announce("You can try again now.");
      this.#onEnd();
      return;
    }
    this.#mark.textContent = `${number(left)} s`;
    // To the next full second.
    this.#timer = setTimeout(() => this.#tick(), Math.max(50, this.#endsAt - performance.now() - (left - 1) * 1000));
  }
}
