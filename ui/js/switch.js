// A switch: a button that is on or off. It keeps its state when a change fails.

import { announce } from "./announce.js";
import { Countdown } from "./countdown.js";
import { make } from "./dom.js";
import { words } from "./errors.js";

export class Switch {
  #about = make("span", { class: "visually-hidden" });
  #problem = make("p", { class: "problem", role: "alert", hidden: true });
  #button;
  #countdown;
  #isOn = false;
  #isBusy = false;
  element;

  /**
   * - `text`: what it is a switch for, shown beside it.
   * - `change(isOn)`: makes the change; returns what to announce when it is made.
   */
  constructor(text, change) {
    this.#button = make("button", { type: "button", role: "switch", class: "switch" },
      make("span", { class: "switch-track", "aria-hidden": "true" }, make("span", { class: "switch-knob" })),
      make("span", {}, text, this.#about));
    this.#countdown = new Countdown(this.#button);
    this.#button.addEventListener("click", () => this.#turn(change));
    this.element = make("div", { class: "switch-row" }, this.#button, this.#problem);
    this.show(false, "");
  }

  /** - `about`: which one of many it is, for screen readers. */
  show(isOn, about) {
    this.#isOn = isOn;
    this.#about.textContent = about === "" ? "" : `: ${about}`;
    this.#button.setAttribute("aria-checked", String(isOn));
  }

  async #turn(change) {
    if (this.#isBusy) return;
    this.#setBusy(true);
    this.#problem.hidden = true;
    let failure = null;
    try {
      announce(await change(!this.#isOn));
    } catch (error) {
      failure = error;
    }
    this.#setBusy(false);
    if (failure) this.#fail(failure);
  }

  #fail(error) {
    // The session ended; the login view says so.
    if (error.kind === "stale" || error.status === 401) return;
    this.#problem.textContent = words(error);
    this.#problem.hidden = false;
    this.#countdown.start(error.retryAfterSeconds, () => {
      this.#problem.hidden = true;
    });
  }

  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    if (isBusy) this.#button.setAttribute("aria-disabled", "true");
    else this.#button.removeAttribute("aria-disabled");
  }
}
