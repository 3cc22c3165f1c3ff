// The fleet view: every vessel, how full it is, and whether it takes bookings. It needs no login.

import { announce } from "./announce.js";
import { Countdown } from "./countdown.js";
import { find } from "./dom.js";
import { words } from "./errors.js";
import { isOwn, listVessels, onFleetChange } from "./fleet.js";
import { count, number, timeOfDay } from "./format.js";
import { session } from "./session.js";
import { placeholder, VesselCard } from "./vessel-card.js";
import { isShown, onEnter } from "./views.js";

/** Pages that are read without being asked for. */
const pagesAtFirst = 2;
/** Pages that one window shows at most. */
const pagesMax = 20;
const placeholders = 3;

export class FleetView {
  #list = find("fleet-list");
  #status = find("fleet-status");
  #problem = find("fleet-problem");
  #empty = find("fleet-empty");
  #more = find("fleet-more");
  #refresh = find("fleet-refresh");
  #countdown = new Countdown(this.#refresh);
  /** By id, in the order of the list. */
  #cards = new Map();
  #pages = 0;
  #nextToken = "";
  #asking = null;

  constructor() {
    this.#refresh.addEventListener("click", () => this.load());
    this.#more.addEventListener("click", () => this.#loadMore());
    onEnter("vessels", () => this.load());
    onFleetChange(() => this.#loadIfShown());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#loadIfShown();
    });
    session.onChange(() => {
      for (const card of this.#cards.values()) card.showRights();
    });
  }

  /** Reads as many pages as are shown, anew. */
  async load() {
    if (this.#cards.size === 0) this.#showPlaceholders();
    await this.#read("", Math.max(this.#pages, pagesAtFirst), ({ vessels, pages, nextToken }) => {
      this.#show(vessels, pages, nextToken);
    });
  }

  #loadIfShown() {
    if (isShown("vessels")) this.load();
  }

  /** What is being read may be from before a change. */
  #readAgain() {
    if (this.#asking) this.load();
  }

  async #loadMore() {
    if (!this.#nextToken || this.#asking) return;
    this.#more.setAttribute("aria-disabled", "true");
    await this.#read(this.#nextToken, 1, ({ vessels, pages, nextToken }) => {
      const known = [...this.#cards.values()].map((card) => card.vessel);
      this.#show([...known, ...vessels], this.#pages + pages, nextToken);
      // The focus moves to the first new vessel.
      const first = vessels.find((vessel) => !known.some(({ id }) => id === vessel.id));
      if (first) this.#cards.get(first.id).focus();
      announce(`${count(vessels.length, "more vessel")}.`);
    });
    this.#more.removeAttribute("aria-disabled");
  }

  /** One page after the other, until there are enough or none is left. */
  async #read(token, pagesWanted, onRead) {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#list.setAttribute("aria-busy", "true");
    this.#status.textContent = "Loading…";
    this.#problem.hidden = true;
    try {
      const vessels = [];
      let nextToken = token;
      let pages = 0;
      do {
        const page = await listVessels(nextToken, { signal: asking.signal });
        vessels.push(...page.vessels);
        nextToken = page.nextToken;
        pages += 1;
      } while (nextToken && pages < pagesWanted);
      onRead({ vessels, pages, nextToken });
    } catch (error) {
      // A later load replaced this one.
      if (asking.signal.aborted) return;
      this.#fail(error);
    }
    this.#asking = null;
    this.#list.setAttribute("aria-busy", "false");
  }

  #showPlaceholders() {
    this.#empty.hidden = true;
    this.#list.hidden = false;
    this.#list.replaceChildren(...Array.from({ length: placeholders }, placeholder));
  }

  #show(vessels, pages, nextToken) {
    this.#pages = pages;
    this.#nextToken = nextToken;
    // One's own come first: those are the ones to do something about.
    const ordered = [...vessels.filter(isOwn), ...vessels.filter((vessel) => !isOwn(vessel))];
    const cards = new Map();
    for (const vessel of ordered) {
      const card = this.#cards.get(vessel.id);
      card?.update(vessel);
      cards.set(vessel.id, card ?? new VesselCard(vessel, { onChanged: () => this.#readAgain() }));
    }
    this.#cards = cards;
    this.#arrange([...cards.values()].map((card) => card.element));
    this.#list.hidden = cards.size === 0;
    this.#empty.hidden = cards.size > 0;
    this.#more.hidden = nextToken === "" || pages >= pagesMax;
    this.#sayHowMany(nextToken !== "");
  }

  /** Moves only what must move: a moved element loses the focus. */
  #arrange(elements) {
    const wanted = new Set(elements);
    for (const element of [...this.#list.children]) {
      if (!wanted.has(element)) element.remove();
    }
    elements.forEach((element, index) => {
      const there = this.#list.children[index];
      if (there !== element) this.#list.insertBefore(element, there ?? null);
    });
  }

  #sayHowMany(hasMore) {
    const now = timeOfDay(new Date());
    if (this.#cards.size === 0) this.#status.textContent = "";
    else if (hasMore) this.#status.textContent = `The first ${number(this.#cards.size)} vessels, as of ${now}`;
    else this.#status.textContent = `${count(this.#cards.size, "vessel")}, as of ${now}`;
  }

  #fail(error) {
    // What was read before stays: old figures are better than none.
    if (this.#cards.size === 0) this.#list.hidden = true;
    this.#status.textContent = "";
    this.#problem.textContent = words(error);
    this.#problem.hidden = false;
    this.#countdown.start(error.retryAfterSeconds);
  }
}
