// Which vessel would carry what is being typed.

import { amount } from "./checks.js";
import { find, make } from "./dom.js";
import { words } from "./errors.js";
import { count, kilograms, number, wholeNumber } from "./format.js";
import { knownVessel, remember } from "./known.js";
import { callSignedIn, session } from "./session.js";
import { drawShip } from "./ship.js";

/** Typing rests this long before the question goes out. */
const restMs = 350;

const isAmount = amount("", "");

export class Fit {
  #status = find("fit-status");
  #room = find("fit-room");
  #again = find("fit-again");
  #load = drawShip(find("fit-ship"));
  #timer = null;
  #asking = null;
  #asked = "";
  #containers = 0;
  #weight = null;

  constructor() {
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
      const answer = await callSignedIn("vessel", "VesselService.FindAvailable",
        { capacity: containers, max_weight: weight }, { signal: asking.signal });
      if (!answer.vessel) throw new Error("no vessel in the answer");
      remember(answer.vessel);
      this.#showVessel(knownVessel(answer.vessel.id), containers, weight);
    } catch (error) {
      // Somebody typed on: the next question is under way.
      if (asking.signal.aborted) return;
      this.#fail(error);
    }
  }

  #showVessel(vessel, containers, weight) {
    this.#say("good", `${vessel.name || vessel.id} can carry ${this.#cargo()}.`);
    this.#room.replaceChildren(
      ...share("Containers", containers, vessel.capacity, number),
      ...share("Weight", weight, vessel.max_weight, kilograms));
    this.#room.hidden = false;
  }

  #fail(error) {
    if (error.status === 404 && error.service.endsWith("vessel")) {
      const advice = "Split the consignment, or add a larger vessel to the fleet.";
      this.#say("bad", `No vessel carries ${this.#cargo()}. ${advice}`);
      return;
    }
    // Asked again when something changes, or when somebody wishes it.
    this.#asked = "";
    this.#say("bad", error.status === 429 ? words(error) : "The fleet can’t be asked right now.");
    this.#again.hidden = false;
  }

  #cargo() {
    return `${count(this.#containers, "container")} and ${kilograms(this.#weight)}`;
  }

  #say(mood, text) {
    this.#status.dataset.mood = mood;
    this.#status.textContent = text;
    this.#again.hidden = true;
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

/** How much of a vessel is taken: in words, and as a bar for the eye. */
function share(label, used, whole, format) {
  const bar = make("span", { class: "bar-used" });
  // Through the object model: a style in the markup would be inline, which the page's policy forbids.
  bar.style.inlineSize = `${Math.max(1, Math.min(100, (used / whole) * 100))}%`;
  return [
    make("dt", {}, label),
    make("dd", {},
      `${format(used)} of ${format(whole)}`, make("span", { class: "bar", "aria-hidden": "true" }, bar)),
  ];
}
