// One vessel of the fleet: how full it is, whether it takes bookings, and its owner's switch.

import { ShareBar } from "./bars.js";
import { make } from "./dom.js";
import { isOwn, mayChange, setAvailable } from "./fleet.js";
import { kilograms, number } from "./format.js";
import { nameTag, userNames } from "./names.js";
import { session } from "./session.js";
import { StateChip } from "./states.js";
import { Switch } from "./switch.js";

export class VesselCard {
  #vessel;
  #name = make("h2", { tabindex: "-1" });
  #own = make("span", { class: "chip" }, "Yours");
  #chip = new StateChip();
  #containers = new ShareBar("Containers");
  #weight = new ShareBar("Weight");
  #switch = new Switch("Available for bookings", (isOn) => this.#turn(isOn));
  #about = make("span", { class: "visually-hidden" });
  #owner = make("div");
  #details;
  #onChanged;
  element;

  /** - `onChanged` runs after the switch changed the vessel. */
  constructor(vessel, { onChanged }) {
    this.#onChanged = onChanged;
    this.#details = make("details", {},
      make("summary", {}, "Details", this.#about),
      make("dl", { class: "ids" },
        make("div", {}, make("dt", {}, "Vessel id"), make("dd", { class: "identifier" }, vessel.id)),
        this.#owner));
    // An owner's name costs a call, so it is fetched when the details are opened.
    this.#details.addEventListener("toggle", () => this.#showOwner());
    this.element = make("li", { class: "card vessel" },
      make("div", { class: "vessel-top" }, this.#name, make("p", { class: "chips" }, this.#chip.element, this.#own)),
      make("dl", { class: "room" }, this.#containers.element, this.#weight.element),
      this.#switch.element, this.#details);
    this.update(vessel);
  }

  get vessel() {
    return this.#vessel;
  }

  /** Updates in place, so that focus and open details stay. */
  update(vessel) {
    this.#vessel = vessel;
    const name = vessel.name || vessel.id;
    this.#name.textContent = name;
    this.#about.textContent = ` of ${name}`;
    this.#chip.show(stateOf(vessel));
    this.#containers.show(`${number(vessel.bookedContainers)} of ${number(vessel.capacity)} booked`,
      { taken: vessel.bookedContainers, whole: vessel.capacity });
    this.#weight.show(`${number(vessel.bookedWeight)} of ${kilograms(vessel.maxWeight)} booked`,
      { taken: vessel.bookedWeight, whole: vessel.maxWeight });
    this.#switch.show(vessel.isAvailable, name);
    this.showRights();
  }

  /** What depends on who is logged in. */
  showRights() {
    this.#own.hidden = !isOwn(this.#vessel);
    this.#switch.element.hidden = !mayChange(this.#vessel);
    this.#showOwner();
  }

  focus() {
    this.#name.focus();
  }

  async #turn(isOn) {
    this.update(await setAvailable(this.#vessel.id, isOn));
    this.#onChanged();
    const name = this.#vessel.name || this.#vessel.id;
    return this.#vessel.isAvailable ? `${name} takes bookings again.` : `${name} takes no more bookings.`;
  }

  #showOwner() {
    const { ownerId } = this.#vessel;
    const isShown = this.#details.open && ownerId !== "" && Boolean(session.current?.user.isOperator);
    this.#owner.hidden = !isShown;
    if (!isShown) return this.#owner.replaceChildren();
    if (this.#owner.dataset.id === ownerId && this.#owner.childElementCount > 0) return;
    this.#owner.dataset.id = ownerId;
    this.#owner.replaceChildren(
      make("dt", {}, "Owner"),
      make("dd", {}, nameTag(userNames, ownerId), " ", make("span", { class: "identifier" }, ownerId)));
  }
}

function stateOf(vessel) {
  if (!vessel.isAvailable) return "CLOSED";
  const isFull = vessel.bookedContainers >= vessel.capacity || vessel.bookedWeight >= vessel.maxWeight;
  return isFull ? "FULL" : "OPEN";
}

/** What stands in place of a vessel that is on its way, about as large as it will be. */
export function placeholder() {
  const blank = (name) => make("span", { class: `blank ${name}` });
  return make("li", { class: "card vessel", "aria-hidden": "true" },
    blank("blank-name"), blank("blank-chip"), blank("blank-share"), blank("blank-share"), blank("blank-line"));
}
