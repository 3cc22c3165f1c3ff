// The fleet, as the vessel service has it.

import { call } from "./api.js";
import { vesselNames } from "./names.js";
import { callSignedIn, session } from "./session.js";

/** Vessels in an answer; pages of long names may have fewer. */
const pageSize = 100;

/**
 * A vessel with all its fields: the gateway leaves default values out.
 *
 * Weights are in kg. `available` is true unless the vessel says otherwise.
 */
function vesselOf(message) {
  const vessel = {
    id: message.id ?? "",
    name: message.name ?? "",
    capacity: message.capacity ?? 0,
    maxWeight: message.max_weight ?? 0,
    bookedContainers: message.booked_containers ?? 0,
    bookedWeight: message.booked_weight ?? 0,
    isAvailable: message.available !== false,
    ownerId: message.owner_id ?? "",
  };
  vesselNames.set(vessel.id, vessel.name);
  return vessel;
}

/** A page in the order of ids, and the token of the next one; empty after the last. Needs no login. */
export async function listVessels(token, { signal }) {
  const request = { page_size: pageSize, ...(token ? { page_token: token } : {}) };
  const answer = await call("vessel", "VesselService.List", request, { signal });
  return { vessels: (answer.vessels ?? []).map(vesselOf), nextToken: answer.next_page_token ?? "" };
}

/** The vessel that a booking of this size would go to now. */
export async function findVessel(containers, weight, { signal }) {
  const request = { capacity: containers, max_weight: weight };
  const answer = await callSignedIn("vessel", "VesselService.FindAvailable", request, { signal });
  if (!answer.vessel) throw new Error("no vessel in the answer");
  return vesselOf(answer.vessel);
}

/** - `request`: a `vessel.Vessel`; `key`: an idempotency key. */
export async function createVessel(request, key) {
  const answer = await callSignedIn("vessel", "VesselService.Create", request, { key });
  const vessel = vesselOf({ ...request, ...answer.vessel });
  fleetChanged();
  return vessel;
}

/** Whether bookings may go to this vessel. Answers the vessel as it is then. */
export async function setAvailable(id, available) {
  const answer = await callSignedIn("vessel", "VesselService.Update",
    { vessel: { id, available }, update_mask: "available" });
  if (!answer.vessel) throw new Error("no vessel in the answer");
  return vesselOf(answer.vessel);
}

/** Whether the logged-in user owns it. A vessel without an owner has an empty `ownerId`. */
export function isOwn(vessel) {
  return vessel.ownerId !== "" && vessel.ownerId === session.current?.user.id;
}

/** Whether the page offers to change it. The service decides. */
export function mayChange(vessel) {
  return session.current !== null && (session.current.user.isOperator || isOwn(vessel));
}

const listeners = [];

/** `listener` runs when this page changed what vessels there are or how full they are. */
export function onFleetChange(listener) {
  listeners.push(listener);
}

export function fleetChanged() {
  for (const listener of listeners) listener();
}
