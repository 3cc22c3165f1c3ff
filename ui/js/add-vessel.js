// Adding a vessel to the fleet.

import { amount, name } from "./checks.js";
import { find } from "./dom.js";
import { createVessel } from "./fleet.js";
import { count, kilograms, wholeNumber } from "./format.js";
import { Field, Form } from "./forms.js";
import { Keys } from "./keys.js";
import { session } from "./session.js";

export function startAddVessel() {
  const keys = new Keys();
  const result = find("vessel-result");
  const opener = find("add-vessel");
  const fields = {
    name: new Field(find("vessel-name"), { check: name("the vessel’s name") }),
    capacity: new Field(find("vessel-capacity"), { check: amount("how many containers it takes", "500") }),
    weight: new Field(find("vessel-weight"), {
      path: "max_weight", check: amount("the weight in kilograms", "200000"),
    }),
  };
  const form = new Form(find("vessel-form"), {
    fields: Object.values(fields),
    busyText: "Adding…",
    comfort: "No vessel will be added twice.",
    send: async () => {
      const request = {
        name: fields.name.input.value.trim(),
        capacity: wholeNumber(fields.capacity.input.value),
        max_weight: wholeNumber(fields.weight.input.value),
        available: true,
      };
      const vessel = await keys.use(request, (key) => createVessel(request, key));
      form.reset();
      find("vessel-result-name").textContent = vessel.name;
      find("vessel-result-size").textContent =
        `${count(vessel.capacity, "container")}, ${kilograms(vessel.maxWeight)}`;
      result.hidden = false;
      find("vessel-result-title").focus();
    },
  });

  /** The form takes room from the fleet, so it shows for those who ask for it. */
  const open = (isOpen) => {
    opener.setAttribute("aria-expanded", String(isOpen));
    find("add-vessel-card").hidden = !isOpen;
  };
  opener.addEventListener("click", () => {
    const isOpen = opener.getAttribute("aria-expanded") !== "true";
    open(isOpen);
    if (isOpen) fields.name.input.focus();
  });
  form.element.addEventListener("input", () => {
    result.hidden = true;
  });
  session.onChange((current) => {
    opener.hidden = !current;
    if (current) form.clearProblems();
    else open(false);
  });
  session.onForget(() => {
    form.reset();
    keys.clear();
    result.hidden = true;
  });
}
