// Vessels that this session met. A consignment names its vessel by id only, and there is no call that asks for one by
// id, so names that went by are remembered.

import { session } from "./session.js";

const storageKey = "shippy.vessels";
/** The oldest is forgotten beyond this. */
const vesselsMax = 100;

let vessels = load();

/** The vessel with this id as it was last seen, or `undefined`. */
export function knownVessel(id) {
  return vessels.find((vessel) => vessel.id === id);
}

/** The last met first. */
export function knownVessels() {
  return [...vessels].reverse();
}

export function remember({ id, name = "", capacity = 0, max_weight = 0 }) {
  if (typeof id !== "string" || id === "") return;
  vessels = [...vessels.filter((vessel) => vessel.id !== id), { id, name, capacity, max_weight }].slice(-vesselsMax);
  store();
}

session.onForget(() => {
  vessels = [];
  store();
});

function store() {
  try {
    sessionStorage.setItem(storageKey, JSON.stringify(vessels));
  } catch {
    // Kept in memory only.
  }
}

function load() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(storageKey));
    return Array.isArray(kept) ? kept.filter((vessel) => typeof vessel?.id === "string") : [];
  } catch {
    return [];
  }
}
