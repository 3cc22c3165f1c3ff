// One consignment in the list: on a phone each row is a card, and the column's name stands before its value.

import { make } from "./dom.js";
import { count, dateAndTime, kilograms } from "./format.js";
import { nameTag, userNames, vesselNames } from "./names.js";
import { StateChip } from "./states.js";

export class ConsignmentRow {
  #chip = new StateChip();
  #state = cell("State", this.#chip.element);
  #vessel = make("div");
  #shown = "";
  #ids = make("dl", { class: "ids" });
  #isForOperator;
  #action = make("td", { role: "cell", class: "cell-action" });
  #cancel;
  element;

  /**
   * - `isForOperator`: whether it says whose consignment it is.
   * - `onCancel` runs at a click on Cancel.
   */
  constructor(consignment, { isForOperator, onCancel }) {
    const { id = "", description = "", weight = 0, containers = [], user_id: userId = "" } = consignment;
    const title = description || "No description";
    this.#isForOperator = isForOperator;
    this.#cancel = make("button", { type: "button", class: "plain" },
      "Cancel", make("span", { class: "visually-hidden" }, ` the booking of ${title}`));
    this.#cancel.addEventListener("click", () => onCancel());
    this.#action.append(this.#cancel);
    this.element = make("tr", { role: "row", "data-id": id },
      cell("Consignment",
        make("span", { class: "strong" }, title), madeAt(consignment.created_at),
        make("details", {},
          make("summary", {}, "Details", make("span", { class: "visually-hidden" }, ` of ${title}`)),
          containerList(containers), this.#ids)),
      cell("Cargo", make("span", { class: "line" }, count(containers.length, "container")),
        make("span", { class: "line" }, kilograms(weight))),
      cell("Vessel", this.#vessel),
      this.#state,
      isForOperator ? cell("Booked by", userId === "" ? "Unknown" : nameTag(userNames, userId)) : null,
      this.#action);
    this.update(consignment);
  }

  /** What may change of it: its state, and with it its vessel and what can be done. */
  update({ id = "", status = "", vessel_id: vesselId = "", user_id: userId = "" }) {
    this.#chip.show(status);
    this.#state.classList.toggle("is-blank", this.#chip.element.hidden);
    this.#action.classList.toggle("is-blank", status === "CANCELLED" || status === "GONE");
    this.#cancel.hidden = status === "CANCELLED" || status === "GONE";
    // A name that could not be had is asked for again.
    const isNamed = vesselId === "" || vesselNames.get(vesselId) !== undefined;
    if (isNamed && this.#shown === `${status} ${vesselId}`) return;
    this.#shown = `${status} ${vesselId}`;
    const none = make("span", { class: "muted" }, status === "PENDING" ? "None yet" : "None");
    this.#vessel.replaceChildren(vesselId === "" ? none : nameTag(vesselNames, vesselId));
    this.#ids.replaceChildren(
      ...identifier("Booking number", id), ...identifier("Vessel id", vesselId),
      ...identifier("User id", this.#isForOperator ? userId : ""));
  }

  /** For the keyboard, when the button it was on is gone. */
  focus() {
    this.#chip.element.focus();
  }
}

function cell(column, ...content) {
  return make("td", { role: "cell" },
    make("span", { class: "cell-name", "aria-hidden": "true" }, column), make("div", {}, ...content));
}

function madeAt(text) {
  const date = new Date(text ?? NaN);
  if (Number.isNaN(date.getTime())) return null;
  return make("time", { class: "line muted", datetime: date.toISOString() }, dateAndTime(date));
}

function identifier(label, id) {
  return id === "" ? [] : [make("div", {}, make("dt", {}, label), make("dd", { class: "identifier" }, id))];
}

function containerList(containers) {
  return make("ul", { class: "container-list" },
    ...containers.map(({ customer_id: customer = "", origin = "" }) =>
      make("li", {},
        make("span", { class: "strong" }, customer || "No customer"), ` from ${origin || "an unknown place"}`)));
}
