// The list of consignments: one's own, or all for an operator. The service has them oldest first, people want to see
// the newest, so all are read, up to a bound, and shown page by page from the end.

import { announce } from "./announce.js";
import { CancelDialog } from "./cancel.js";
import { ConsignmentRow } from "./consignment-row.js";
import { Countdown } from "./countdown.js";
import { find } from "./dom.js";
import { words } from "./errors.js";
import { count, number, timeOfDay } from "./format.js";
import { PendingWatch } from "./pending.js";
import { callSignedIn, session } from "./session.js";
import { onEnter } from "./views.js";

/** Rows that are shown at a time. */
const rowsShown = 20;
/** Consignments in an answer; pages of large ones have fewer. */
const pageSize = 500;
/** Answers that are read without being asked for, and that each "Read later ones" adds. */
const pagesPerRead = 4;
/** More than this is not for a page to read. */
const readsMax = 5;

export class Consignments {
  #table = find("consignments-table");
  #rowsElement = find("consignments-rows");
  #status = find("consignments-status");
  #problem = find("consignments-problem");
  #empty = find("consignments-empty");
  #previous = find("consignments-previous");
  #next = find("consignments-next");
  #pager = find("consignments-pager");
  #refresh = find("consignments-refresh");
  #later = find("consignments-later");
  #readOn = find("consignments-read-on");
  #countdown = new Countdown(this.#refresh);
  #dialog = new CancelDialog();
  #pending = new PendingWatch();
  /** Newest first. */
  #all = [];
  /** What is shown, by id. */
  #rows = new Map();
  #page = 0;
  #reads = 1;
  #hasLater = false;
  #readAt = null;
  #asking = null;
  #onCancelled;

  /** - `onCancelled(consignment)` runs after each Cancel. */
  constructor({ onCancelled }) {
    this.#onCancelled = onCancelled;
    this.#refresh.addEventListener("click", () => this.#load());
    this.#previous.addEventListener("click", () => this.#turn(-1));
    this.#next.addEventListener("click", () => this.#turn(1));
    this.#readOn.addEventListener("click", () => {
      this.#reads += 1;
      this.#page = 0;
      this.#status.focus();
      this.#load();
    });
    onEnter("consignments", () => this.#load());
    session.onChange((current) => {
      // The next one to log in may be another.
      if (!current) this.#forget();
    });
  }

  /** What was booked since is on the first page. */
  toNewest() {
    this.#page = 0;
  }

  async #load() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#table.setAttribute("aria-busy", "true");
    this.#problem.hidden = true;
    this.#status.textContent = "Loading…";
    try {
      const { consignments, hasLater } = await this.#read(asking.signal);
      this.#all = consignments.reverse();
      this.#hasLater = hasLater;
      this.#readAt = new Date();
      this.#show();
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#status.textContent = "";
      this.#problem.textContent = words(error);
      this.#problem.hidden = false;
      this.#countdown.start(error.retryAfterSeconds);
    }
    this.#table.setAttribute("aria-busy", "false");
  }

  /** Page after page, oldest first. */
  async #read(signal) {
    const consignments = [];
    let token = "";
    for (let pages = 0; pages < this.#reads * pagesPerRead; pages += 1) {
      const answer = await callSignedIn("consignment", "ConsignmentService.Get",
        { page_size: pageSize, ...(token ? { page_token: token } : {}) }, { signal });
      // Absent means empty: the gateway leaves default values out.
      consignments.push(...(answer.consignments ?? []));
      token = answer.next_page_token ?? "";
      if (token === "") break;
    }
    return { consignments, hasLater: token !== "" };
  }

  get #pages() {
    return Math.max(1, Math.ceil(this.#all.length / rowsShown));
  }

  #turn(step) {
    const page = this.#page + step;
    if (page < 0 || page >= this.#pages) return;
    this.#page = page;
    this.#show();
    this.#status.focus();
    scrollTo(0, 0);
  }

  #show() {
    this.#page = Math.min(this.#page, this.#pages - 1);
    const first = this.#page * rowsShown;
    const shown = this.#all.slice(first, first + rowsShown);
    this.#showRows(shown);
    this.#sayWhere(first, shown.length);
    this.#empty.hidden = this.#all.length > 0;
    this.#table.hidden = shown.length === 0;
    this.#later.hidden = !this.#hasLater;
    this.#readOn.hidden = this.#reads >= readsMax;
    this.#pager.hidden = this.#pages === 1;
    // Not `disabled`: that would drop the keyboard from the button it is on.
    this.#previous.setAttribute("aria-disabled", String(this.#page === 0));
    this.#next.setAttribute("aria-disabled", String(this.#page === this.#pages - 1));
  }

  /** Rows that were there stay: what is unfolded in them, and the focus. */
  #showRows(consignments) {
    const isForOperator = Boolean(session.current?.user.isOperator);
    find("consignments-owner").hidden = !isForOperator;
    this.#table.classList.toggle("for-operator", isForOperator);
    const rows = new Map();
    for (const consignment of consignments) {
      const { id = "" } = consignment;
      const row = this.#rows.get(id);
      row?.update(consignment);
      rows.set(id, row ?? new ConsignmentRow(consignment, { isForOperator, onCancel: () => this.#askToCancel(id) }));
      if (consignment.status === "PENDING") this.#pending.follow(id, (settled) => this.#settled(id, settled));
    }
    const isSame = [...rows.keys()].join() === [...this.#rows.keys()].join();
    this.#rows = rows;
    if (!isSame) this.#rowsElement.replaceChildren(...[...rows.values()].map((row) => row.element));
  }

  #sayWhere(first, shown) {
    const now = this.#readAt ? timeOfDay(this.#readAt) : "";
    const of = session.current?.user.isOperator ? " of all users" : "";
    const order = this.#all.length > 1 ? ", newest first" : "";
    if (this.#all.length === 0) this.#status.textContent = "";
    else if (this.#pages === 1) {
      this.#status.textContent = `${count(this.#all.length, "consignment")}${of}${order}, as of ${now}`;
    } else {
      const range = `${number(first + 1)} to ${number(first + shown)} of ${number(this.#all.length)}`;
      this.#status.textContent = `Page ${number(this.#page + 1)}: consignments ${range}${of}${order}, as of ${now}`;
    }
  }

  #askToCancel(id) {
    const consignment = this.#all.find((one) => one.id === id);
    if (!consignment) return;
    this.#dialog.open(consignment, (cancelled) => {
      this.#replace(id, cancelled);
      this.#rows.get(id)?.focus();
      this.#onCancelled(cancelled);
      announce(`Cancelled: ${cancelled.description || "no description"}.`);
      // What is being read may be from before.
      if (this.#table.getAttribute("aria-busy") === "true") this.#load();
    });
  }

  #settled(id, consignment) {
    const before = this.#all.find((one) => one.id === id);
    // Cancelled here meanwhile, or read anew.
    if (before?.status !== "PENDING") return;
    this.#replace(id, consignment ?? { ...before, status: "GONE" });
    const title = before.description || "no description";
    announce(consignment?.status === "BOOKED" ? `Booked: ${title}.` : `Not booked: ${title}.`);
  }

  #replace(id, consignment) {
    this.#all = this.#all.map((one) => (one.id === id ? consignment : one));
    this.#rows.get(id)?.update(consignment);
  }

  #forget() {
    this.#asking?.abort();
    this.#pending.stop();
    this.#countdown.stop();
    this.#all = [];
    this.#rows.clear();
    this.#page = 0;
    this.#reads = 1;
    this.#rowsElement.replaceChildren();
    for (const element of [this.#table, this.#pager, this.#empty, this.#problem, this.#later]) element.hidden = true;
    this.#status.textContent = "";
  }
}
