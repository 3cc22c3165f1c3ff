// The list of consignments, page by page.

import { find, make } from "./dom.js";
import { words } from "./errors.js";
import { count, kilograms, number, timeOfDay } from "./format.js";
import { knownVessel } from "./known.js";
import { callSignedIn, session } from "./session.js";
import { onEnter } from "./views.js";

const pageSize = 20;

export class Consignments {
  #table = find("consignments-table");
  #rows = find("consignments-rows");
  #status = find("consignments-status");
  #problem = find("consignments-problem");
  #empty = find("consignments-empty");
  #previous = find("consignments-previous");
  #next = find("consignments-next");
  #pager = find("consignments-pager");
  /** The tokens that led to each page up to this one; the first page needs none. */
  #tokens = [""];
  #nextToken = "";
  #asking = null;

  constructor() {
    find("consignments-refresh").addEventListener("click", () => this.#load(this.#tokens));
    this.#previous.addEventListener("click", () => {
      if (this.#tokens.length > 1) this.#load(this.#tokens.slice(0, -1), { isTurn: true });
    });
    this.#next.addEventListener("click", () => {
      if (this.#nextToken) this.#load([...this.#tokens, this.#nextToken], { isTurn: true });
    });
    onEnter("consignments", () => this.#load(this.#tokens));
    session.onChange((current) => {
      // The next one to log in may be another.
      if (!current) this.#forget();
    });
  }

  /** - `tokens`: the way to the page that is wanted; taken over only when it arrives. */
  async #load(tokens, { isTurn = false } = {}) {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#table.setAttribute("aria-busy", "true");
    this.#problem.hidden = true;
    this.#status.textContent = "Loading…";
    try {
      const token = tokens.at(-1);
      const answer = await callSignedIn("consignment", "ConsignmentService.Get",
        { page_size: pageSize, ...(token ? { page_token: token } : {}) }, { signal: asking.signal });
      this.#tokens = tokens;
      this.#nextToken = answer.next_page_token ?? "";
      // Absent means empty: the gateway leaves default values out.
      this.#show(answer.consignments ?? []);
      if (isTurn) this.#toTop();
    } catch (error) {
      if (asking.signal.aborted) return;
      // A page that the service no longer knows: begin again.
      if (error.status === 400 && tokens.length > 1) return this.#load([""], { isTurn });
      this.#status.textContent = "";
      this.#problem.textContent = words(error);
      this.#problem.hidden = false;
    }
    this.#table.setAttribute("aria-busy", "false");
  }

  #show(consignments) {
    const page = this.#tokens.length;
    const first = (page - 1) * pageSize + 1;
    const now = timeOfDay(new Date());
    const isAll = page === 1 && this.#nextToken === "";
    const range = `${number(first)} to ${number(first + consignments.length - 1)}`;
    if (consignments.length === 0) this.#status.textContent = page === 1 ? "" : "Nothing on this page.";
    else if (isAll) this.#status.textContent = `${count(consignments.length, "consignment")}, as of ${now}`;
    else this.#status.textContent = `Page ${number(page)}: consignments ${range}, as of ${now}`;
    this.#empty.hidden = !(page === 1 && consignments.length === 0);
    this.#table.hidden = consignments.length === 0;
    this.#rows.replaceChildren(...consignments.map(row));
    this.#pager.hidden = isAll;
    // Not `disabled`: that would drop the keyboard from the button it is on.
    this.#previous.setAttribute("aria-disabled", String(page === 1));
    this.#next.setAttribute("aria-disabled", String(this.#nextToken === ""));
  }

  #toTop() {
    this.#status.focus();
    scrollTo(0, 0);
  }

  #forget() {
    this.#asking?.abort();
    this.#tokens = [""];
    this.#nextToken = "";
    this.#rows.replaceChildren();
    this.#table.hidden = true;
    this.#pager.hidden = true;
    this.#empty.hidden = true;
    this.#problem.hidden = true;
    this.#status.textContent = "";
  }
}

function row({ id = "", description = "", weight = 0, containers = [], vessel_id: vesselId = "" }) {
  const vessel = knownVessel(vesselId);
  return make("tr", { role: "row" },
    cell("Consignment", make("span", { class: "strong" }, description || "No description"), identifier(id)),
    cell("Weight", kilograms(weight)),
    cell("Containers", containerList(containers)),
    cell("Vessel", vessel?.name ? make("span", { class: "strong" }, vessel.name) : null, identifier(vesselId)));
}

/** On a phone each row is a card, and the column's name stands before its value. */
function cell(column, ...content) {
  return make("td", { role: "cell" },
    make("span", { class: "cell-name", "aria-hidden": "true" }, column), make("div", {}, ...content));
}

function identifier(id) {
  return id === "" ? null : make("span", { class: "identifier" }, id);
}

function containerList(containers) {
  if (containers.length === 0) return "None";
  return make("details", {},
    make("summary", {}, count(containers.length, "container")),
    make("ul", { class: "container-list" },
      ...containers.map(({ customer_id: customer = "", origin = "" }) =>
        make("li", {},
          make("span", { class: "strong" }, customer || "No customer"), ` from ${origin || "an unknown place"}`))));
}
