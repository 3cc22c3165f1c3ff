// Which vessel would carry what is being typed.

import { ShareBar } from "./bars.js";
import { amount } from "./checks.js";
import { Countdown } from "./countdown.js";
import { find } from "./dom.js";
import { words } from "./errors.js";
import { findVessel } from "./fleet.js";
import { count, kilograms, number, wholeNumber } from "./format.js";
import { session } from "./session.js";
import { drawShip } from "./ship.js";

/** Typing rests this long before the question goes out. */
const restMs = 350;

const isAmount = amount("", "");

export class Fit {
  #status = find("fit-status");
  #room = find("fit-room");
  #again = find("fit-again");
  #countdown = new Countdown(this.#again);
  #containerBar = new ShareBar("Containers");
  #weightBar = new ShareBar("Weight");
  #load = drawShip(find("fit-ship"));
  #timer = null;
  #asking = null;
  #asked = "";
  #containers = 0;
  #weight = null;

  constructor() {
    this.#room.append(this.#containerBar.element, this.#weightBar.element);
    this.#again.addEventListener("click", () => {
      this.#again.hidden = true;
      this.#ask();
    });
    session.onChange((current) => {
      if (!current) this.#forget();
    });
    addEventListener("online", () => {
      if (!this.#again.hidden) this.#again.click();
    });
  }

  /** - `weightText`: as typed; what is no amount asks nothing. */
  show(containers, weightText) {
    this.#load(containers);
    this.#containers = containers;
    this.#weight = isAmount(weightText) === null ? wholeNumber(weightText) : null;
    if (this.#weight === null) return this.#forget();
    if (this.#asked === this.#question) return;
    this.#giveUp();
    this.#timer = setTimeout(() => this.#ask(), restMs);
  }

  /** Asks the same question anew: what is left in the fleet may have changed since the answer. */
  refresh() {
    if (this.#asked !== "") this.#ask();
  }

  get #question() {
    return `${this.#containers} ${this.#weight}`;
  }

  async #ask() {
    this.#giveUp();
    this.#asked = this.#question;
    const asking = new AbortController();
    this.#asking = asking;
    const [containers, weight] = [this.#containers, this.#weight];
    this.#say("waiting", `Looking for a vessel for ${this.#cargo()}…`);
    try {
      this.#showVessel(await findVessel(containers, weight, { signal: asking.signal }), containers, weight);
    } catch (error) {
      // Somebody typed on: the next question is under way.
      if (asking.signal.aborted) return;
      this.#fail(error);
    }
  }

  #showVessel(vessel, containers, weight) {
    this.#say("good", `${vessel.name || vessel.id} can carry ${this.#cargo()}.`);
    const freeContainers = vessel.capacity - vessel.bookedContainers;
    const freeWeight = vessel.maxWeight - vessel.bookedWeight;
    this.#containerBar.show(`${number(containers)} of ${number(freeContainers)} free`,
      { taken: vessel.bookedContainers, added: containers, whole: vessel.capacity });
    this.#weightBar.show(`${number(weight)} of ${kilograms(freeWeight)} free`,
      { taken: vessel.bookedWeight, added: weight, whole: vessel.maxWeight });
    this.#room.hidden = false;
  }

  #fail(error) {
    if (error.reason === "FLEET_FULL") {
      const advice = "Split the consignment, try again later, or add a vessel to the fleet.";
      this.#say("bad", `No vessel has room for ${this.#cargo()}. ${advice}`);
      return;
    }
    // Asked again when something changes, or when somebody wishes it.
    this.#asked = "";
    this.#say("bad", error.status === 429 ? words(error) : "The fleet can’t be asked right now.");
    this.#again.hidden = false;
    if (error.status === 429) this.#countdown.start(error.retryAfterSeconds);
  }

  #cargo() {
    return `${count(this.#containers, "container")} and ${kilograms(this.#weight)}`;
  }

  #say(mood, text) {
    this.#status.dataset.mood = mood;
    this.#status.textContent = text;
    this.#again.hidden = true;
    this.#countdown.stop();
    if (mood !== "waiting") this.#room.hidden = true;
  }

  #giveUp() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  #forget() {
    this.#giveUp();
    this.#asked = "";
    this.#say("idle", "Enter a weight to see which vessel takes it.");
  }
}
