// Names behind ids: messages refer to vessels and users by id, people know them by name.

import { call } from "./api.js";
import { make } from "./dom.js";
import { callSignedIn, session } from "./session.js";

/** Names that are kept for each kind; the oldest is dropped beyond this. */
const namesMax = 2_000;

class Names {
  #byId = new Map();
  #asking = new Map();
  #ask;

  /** - `ask(id)`: fetches the name from its service. */
  constructor(ask) {
    this.#ask = ask;
  }

  /** The name; empty where there is none, `undefined` as long as that is not known. */
  get(id) {
    return this.#byId.get(id);
  }

  set(id, name) {
    this.#byId.delete(id);
    this.#byId.set(id, name);
    if (this.#byId.size > namesMax) this.#byId.delete(this.#byId.keys().next().value);
  }

  clear() {
    this.#byId.clear();
    this.#asking.clear();
  }

  /** The name, fetched once however many ask for it; empty if it can't be had. Never throws. */
  async find(id) {
    if (id === "") return "";
    if (!this.#byId.has(id) && !this.#asking.has(id)) this.#asking.set(id, this.#fetch(id));
    return this.get(id) ?? this.#asking.get(id);
  }

  async #fetch(id) {
    try {
      const name = await this.#ask(id);
      this.set(id, name);
      return name;
    } catch (error) {
      // Refused or gone stays so; after other failures the next one to ask tries again.
      if (error.status === 403 || error.status === 404) this.set(id, "");
      return "";
    } finally {
      this.#asking.delete(id);
    }
  }
}

/** Needs no token. */
export const vesselNames = new Names(async (id) =>
  (await call("vessel", "VesselService.Get", { id })).vessel?.name ?? "");

/** Only operators get the names of others. */
export const userNames = new Names(async (id) =>
  (await callSignedIn("user", "UserService.Get", { id })).user?.name ?? "");

session.onForget(() => userNames.clear());

/** An element with the name behind `id`, filled in once it is known; with the id itself if it never is. */
export function nameTag(names, id) {
  const tag = make("span", { class: "strong" });
  const show = (name) => {
    tag.textContent = name || id;
    tag.className = name ? "strong" : "identifier";
  };
  const known = names.get(id);
  if (known !== undefined) {
    show(known);
  } else {
    tag.textContent = "…";
    names.find(id).then(show);
  }
  return tag;
}
