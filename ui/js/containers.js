// The rows of a booking's containers: add, copy, remove, and keep the keyboard in a sensible place.

import { announce } from "./announce.js";
import { filled } from "./checks.js";
import { find, make } from "./dom.js";
import { count, number } from "./format.js";
import { Field } from "./forms.js";

/** What one page can show and one request (1 MiB) can hold with room to spare. */
const containersMax = 1_000;

export class Containers {
  #list = find("containers");
  #add = find("add-container");
  #rows = [];
  #made = 0;
  #onChange;
  #isLocked;

  /**
   * - `onChange`: hears of each row that comes or goes.
   * - `isLocked`: answers whether rows must stay as they are, as while they are sent.
   */
  constructor({ onChange, isLocked }) {
    this.#onChange = onChange;
    this.#isLocked = isLocked;
    this.#add.addEventListener("click", () => this.#insert(this.#rows.length, {}));
    this.#put(0, {});
  }

  get count() {
    return this.#rows.length;
  }

  get fields() {
    return this.#rows.flatMap((row) => [row.customer, row.origin]);
  }

  /** As the request has them; `userId` is whose booking it is. */
  values(userId) {
    return this.#rows.map((row) => ({
      customer_id: row.customer.input.value.trim(),
      ...(userId ? { user_id: userId } : {}),
      origin: row.origin.input.value.trim(),
    }));
  }

  /** Back to a single empty one. */
  reset() {
    for (const row of this.#rows) row.element.remove();
    this.#rows = [];
    this.#put(0, {});
    this.#changed();
  }

  #insert(position, values) {
    if (this.#isLocked()) return;
    if (this.count >= containersMax) {
      announce(`A booking holds at most ${number(containersMax)} containers.`);
      return;
    }
    const row = this.#put(position, values);
    this.#changed();
    row.customer.input.focus();
    announce(`${count(this.count, "container")} in this booking.`);
  }

  #remove(row) {
    if (this.#isLocked() || this.count === 1) return;
    const position = this.#rows.indexOf(row);
    this.#rows.splice(position, 1);
    row.element.remove();
    this.#changed();
    // The row that took its place, or the last one.
    this.#rows[Math.min(position, this.count - 1)].customer.input.focus();
    announce(`Container ${number(position + 1)} removed, ${number(this.count)} left.`);
  }

  #put(position, { customer = "", origin = "" }) {
    const id = `container-${++this.#made}`;
    const row = {
      legend: make("legend", { class: "container-title" }),
      copy: make("button", { type: "button", class: "plain" }, "Copy"),
      remove: make("button", { type: "button", class: "plain" }, "Remove"),
    };
    const customerInput = make("input", { id: `${id}-customer`, autocomplete: "off", value: customer });
    const originInput = make("input", { id: `${id}-origin`, autocomplete: "off", value: origin });
    row.element = make("fieldset", { class: "container" },
      row.legend,
      make("div", { class: "field" }, make("label", { for: customerInput.id }, "Customer"), customerInput),
      make("div", { class: "field" }, make("label", { for: originInput.id }, "Origin"), originInput),
      make("div", { class: "container-actions" }, row.copy, row.remove));
    const path = (name) => () => `containers[${this.#rows.indexOf(row)}].${name}`;
    row.customer = new Field(customerInput, { path: path("customer_id"), check: filled("whose container it is") });
    row.origin = new Field(originInput, { path: path("origin"), check: filled("where it comes from") });
    row.copy.addEventListener("click", () =>
      this.#insert(this.#rows.indexOf(row) + 1, { customer: customerInput.value, origin: originInput.value }));
    row.remove.addEventListener("click", () => this.#remove(row));
    const following = this.#rows[position];
    this.#list.insertBefore(row.element, following?.element ?? null);
    this.#rows.splice(position, 0, row);
    this.#number();
    return row;
  }

  #changed() {
    this.#number();
    this.#onChange();
  }

  #number() {
    this.#rows.forEach((row, index) => {
      const title = `Container ${number(index + 1)}`;
      row.legend.textContent = title;
      row.copy.setAttribute("aria-label", `Copy ${title.toLowerCase()}`);
      row.remove.setAttribute("aria-label", `Remove ${title.toLowerCase()}`);
      // A consignment has at least one.
      row.remove.hidden = this.count === 1;
    });
  }
}
