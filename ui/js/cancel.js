// Cancelling a booking, after a question.

import { announce } from "./announce.js";
import { Countdown } from "./countdown.js";
import { find } from "./dom.js";
import { words } from "./errors.js";
import { fleetChanged } from "./fleet.js";
import { count, kilograms } from "./format.js";
import { vesselNames } from "./names.js";
import { callSignedIn, session } from "./session.js";

/** A wait shorter than this needs no words. */
const busyWordsAfterMs = 500;

export class CancelDialog {
  #dialog = find("cancel-dialog");
  #confirm = find("cancel-confirm");
  #keep = find("cancel-keep");
  #problem = find("cancel-problem");
  #countdown = new Countdown(this.#confirm);
  #restingText = this.#confirm.textContent;
  #consignment = null;
  #onCancelled = null;
  #isBusy = false;

  constructor() {
    this.#confirm.addEventListener("click", () => this.#send());
    this.#keep.addEventListener("click", () => this.#close());
    // Escape; while the answer is on its way the outcome is worth waiting for.
    this.#dialog.addEventListener("cancel", (event) => {
      if (this.#isBusy) event.preventDefault();
    });
    this.#dialog.addEventListener("close", () => {
      this.#dialog.querySelector("[data-announcer]").textContent = "";
    });
    session.onChange((current) => {
      if (!current) this.#dialog.close();
    });
  }

  /** Asks first. `onCancelled(consignment)` runs after the service has cancelled it and the dialog is closed. */
  open(consignment, onCancelled) {
    if (this.#isBusy) return;
    this.#consignment = consignment;
    this.#onCancelled = onCancelled;
    this.#countdown.stop();
    this.#say("");
    const { description = "", weight = 0, containers = [], vessel_id: vesselId = "" } = consignment;
    find("cancel-description").textContent = description || "No description";
    find("cancel-cargo").textContent = `${count(containers.length, "container")}, ${kilograms(weight)}`;
    find("cancel-vessel").textContent = vesselId === "" ? "None yet" : vesselNames.get(vesselId) || vesselId;
    // Makes the rest of the page inert, and returns the focus when it closes.
    this.#dialog.showModal();
  }

  #close() {
    if (!this.#isBusy) this.#dialog.close();
  }

  async #send() {
    if (this.#isBusy) return;
    this.#setBusy(true);
    this.#say("");
    const speaking = setTimeout(() => announce("Cancelling…"), busyWordsAfterMs);
    let failure = null;
    let answer = null;
    try {
      answer = await callSignedIn("consignment", "ConsignmentService.Cancel", { id: this.#consignment.id });
    } catch (error) {
      failure = error;
    }
    clearTimeout(speaking);
    this.#setBusy(false);
    if (failure) return this.#fail(failure);
    this.#dialog.close();
    this.#onCancelled({ ...this.#consignment, status: "CANCELLED", ...answer.consignment });
    fleetChanged();
  }

  #fail(error) {
    // The session ended, which closed the dialog.
    if (!session.current || error.kind === "stale") return;
    this.#say(words(error));
    // A browser may close a dialog on a second Escape whatever the page says.
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#countdown.start(error.retryAfterSeconds, () => this.#say(""));
  }

  #say(text) {
    this.#problem.textContent = text;
    this.#problem.hidden = text === "";
  }

  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#dialog.setAttribute("aria-busy", String(isBusy));
    this.#confirm.textContent = isBusy ? "Cancelling…" : this.#restingText;
    for (const button of [this.#confirm, this.#keep]) {
      if (isBusy) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  }
}
