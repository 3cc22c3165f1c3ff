// The states of consignments and vessels, as a word on a coloured ground.

import { make } from "./dom.js";

/** The word for each state, and its colour: no state is told by colour alone. */
const states = {
  BOOKED: { text: "Booked", mood: "good" },
  PENDING: { text: "Pending", mood: "waiting" },
  CANCELLED: { text: "Cancelled", mood: "over" },
  // A pending consignment that the service undid.
  GONE: { text: "Not booked", mood: "bad" },
  OPEN: { text: "Available", mood: "good" },
  FULL: { text: "Full", mood: "waiting" },
  CLOSED: { text: "Not available", mood: "over" },
};

export class StateChip {
  // Focusable by script: it takes the focus when the button that changed it is removed.
  element = make("span", { class: "chip", tabindex: "-1" });

  /** A state without a word, such as that of consignments from before there were states, shows nothing. */
  show(state) {
    const { text, mood } = states[state] ?? { text: "", mood: "" };
    this.element.textContent = text;
    this.element.dataset.mood = mood;
    this.element.hidden = text === "";
  }
}
