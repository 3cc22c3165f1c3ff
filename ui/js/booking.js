// Booking a consignment.

import { amount, filled } from "./checks.js";
import { Containers } from "./containers.js";
import { find } from "./dom.js";
import { sentence } from "./errors.js";
import { Fit } from "./fit.js";
import { count, kilograms, wholeNumber } from "./format.js";
import { Field, Form } from "./forms.js";
import { Keys } from "./keys.js";
import { knownVessel } from "./known.js";
import { callSignedIn, session } from "./session.js";

export function startBooking() {
  const keys = new Keys();
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
    },
    explain: (error) => {
      if (error.status !== 404 || error.service.endsWith("api")) return null;
      weight.show(sentence(error.detail), " Split the consignment, or add a larger vessel.");
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
  form.element.addEventListener("input", () => {
    result.hidden = true;
  });

  // What was typed outlasts a session that ran out, for the one who typed it.
  session.onForget(() => {
    form.reset();
    containers.reset();
    keys.clear();
    result.hidden = true;
  });
  session.onChange((current) => {
    if (!current) return;
    // That the session was over is no news any more.
    form.clearProblems();
    update();
  });

  function showResult(consignment) {
    const vessel = knownVessel(consignment.vessel_id);
    find("result-vessel").textContent = vessel?.name || consignment.vessel_id;
    find("result-vessel-id").textContent = consignment.vessel_id;
    find("result-description").textContent = consignment.description;
    find("result-cargo").textContent =
      `${count(consignment.containers.length, "container")}, ${kilograms(consignment.weight)}`;
    find("result-id").textContent = consignment.id;
    result.hidden = false;
    find("result-title").focus();
    result.scrollIntoView({ block: "nearest" });
  }
}
