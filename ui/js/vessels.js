// Adding a vessel, and the vessels that this session met.

import { amount, name } from "./checks.js";
import { find, make } from "./dom.js";
import { count, kilograms, wholeNumber } from "./format.js";
import { Field, Form } from "./forms.js";
import { Keys } from "./keys.js";
import { knownVessels, remember } from "./known.js";
import { callSignedIn, session } from "./session.js";
import { onEnter } from "./views.js";

export function startVessels() {
  const keys = new Keys();
  const result = find("vessel-result");
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
      const answer = await keys.use(request, (key) =>
        callSignedIn("vessel", "VesselService.Create", request, { key }));
      const vessel = { ...request, ...answer.vessel };
      remember(vessel);
      form.reset();
      find("vessel-result-name").textContent = vessel.name;
      find("vessel-result-size").textContent = size(vessel);
      result.hidden = false;
      find("vessel-result-title").focus();
      showKnown();
    },
  });
  form.element.addEventListener("input", () => {
    result.hidden = true;
  });
  onEnter("vessels", showKnown);
  session.onChange((current) => {
    if (current) form.clearProblems();
  });
  session.onForget(() => {
    form.reset();
    keys.clear();
    result.hidden = true;
  });
}

function showKnown() {
  const vessels = knownVessels();
  find("known-none").hidden = vessels.length > 0;
  find("known-vessels").replaceChildren(...vessels.map((vessel) =>
    make("li", {},
      make("span", { class: "strong" }, vessel.name || vessel.id),
      make("span", { class: "muted" }, size(vessel)),
      make("span", { class: "identifier" }, vessel.id))));
}

const size = ({ capacity, max_weight: weight }) => `${count(capacity, "container")}, ${kilograms(weight)}`;
