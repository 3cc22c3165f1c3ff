// Booking a consignment.

import { announce } from "./announce.js";
import { amount, filled } from "./checks.js";
import { Containers } from "./containers.js";
import { find, make } from "./dom.js";
import { Fit } from "./fit.js";
import { fleetChanged } from "./fleet.js";
import { count, kilograms, wholeNumber } from "./format.js";
import { Field, Form } from "./forms.js";
import { Keys } from "./keys.js";
import { vesselNames } from "./names.js";
import { PendingWatch } from "./pending.js";
import { callSignedIn, session } from "./session.js";
import { isShown, onEnter } from "./views.js";

/**
 * - `onBooked` runs after each booking.
 *
 * Returns what to call with a consignment that was cancelled elsewhere on the page.
 */
export function startBooking({ onBooked }) {
  const keys = new Keys();
  const pending = new PendingWatch();
  const fit = new Fit();
  const description = new Field(find("book-description"), { check: filled("what you are sending") });
  const weight = new Field(find("book-weight"), { check: amount("the weight in kilograms", "55000") });
  const result = find("book-result");

  const form = new Form(find("book-form"), {
    fields: [],
    busyText: "Booking…",
    comfort: "Nothing will be booked twice.",
    send: async () => {
      const request = {
        description: description.input.value.trim(),
        weight: wholeNumber(weight.input.value),
        containers: containers.values(session.current?.user.id),
      };
      const answer = await keys.use(request, (key) =>
        callSignedIn("consignment", "ConsignmentService.Create", request, { key }));
      showResult({ ...request, ...answer.consignment });
      form.reset();
      containers.reset();
      onBooked();
      fleetChanged();
    },
    explain: (error) => {
      if (error.reason !== "FLEET_FULL") return null;
      weight.show(
        `No vessel has room for ${cargo(containers.count, wholeNumber(weight.input.value))}. `,
        "Split the consignment, try again later, or ", make("a", { href: "#vessels" }, "add a vessel"), ".");
      return weight;
    },
  });

  const update = () => fit.show(containers.count, weight.input.value);
  const containers = new Containers({
    onChange: () => {
      form.fields = [description, weight, ...containers.fields];
      update();
    },
    isLocked: () => form.isBusy,
  });
  containers.reset();
  weight.input.addEventListener("input", update);
  onEnter("book", () => fit.refresh());
  form.element.addEventListener("input", () => {
    result.hidden = true;
  });

  // What was typed outlasts a session that ran out, for the one who typed it.
  session.onForget(() => {
    form.reset();
    containers.reset();
    keys.clear();
    pending.stop();
    result.hidden = true;
    find("result-description").textContent = "";
  });
  session.onChange((current) => {
    if (!current) return;
    // That the session was over is no news any more.
    form.clearProblems();
    update();
  });

  return {
    showCancelled(consignment) {
      if (!result.hidden && result.dataset.id === consignment.id) showState(consignment);
    },
  };

  function showResult(consignment) {
    find("result-description").textContent = consignment.description;
    find("result-cargo").textContent = cargo(consignment.containers.length, consignment.weight);
    find("result-id").textContent = consignment.id;
    showState(consignment);
    result.hidden = false;
    find("result-title").focus();
    result.scrollIntoView({ block: "nearest" });
  }

  /** A repeat of a booking whose answer got lost may find it in any state. */
  async function showState({ id, status = "BOOKED", vessel_id: vesselId = "" }) {
    result.dataset.id = id;
    result.dataset.state = status;
    find("result-vessel-id").textContent = vesselId || "None";
    find("result-title").textContent = titles[status]?.(vesselNames.get(vesselId) || vesselId) ?? "Accepted";
    if (status === "PENDING") {
      pending.follow(id, async (settled) => {
        if (result.dataset.id !== id) return;
        await showState(settled ?? { id, status: "GONE" });
        // The list of consignments says it itself.
        if (isShown("book") && !result.hidden && result.dataset.id === id) announce(find("result-title").textContent);
      });
    }
    const name = await vesselNames.find(vesselId);
    if (name && result.dataset.id === id) find("result-title").textContent = titles[status]?.(name) ?? "Accepted";
  }
}

const titles = {
  BOOKED: (vessel) => `Booked on ${vessel}`,
  PENDING: () => "Accepted: the vessel is not certain yet",
  CANCELLED: () => "This booking was cancelled",
  GONE: () => "Not booked: this could not be completed",
};

const cargo = (containers, weight) => `${count(containers, "container")} and ${kilograms(weight)}`;
