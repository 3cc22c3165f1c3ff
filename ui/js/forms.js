// What all forms have in common: checks before sending, problems beside their fields, progress while waiting.

import { announce } from "./announce.js";
import { fieldProblem, isUncertain, sentence, words } from "./errors.js";
import { make } from "./dom.js";
import { count } from "./format.js";

/** A wait shorter than this needs no words. */
const busyWordsAfterMs = 500;

/** A labelled input, and the place below it where its problem is said. */
export class Field {
  #problem;
  #check;

  /**
   * - `path`: the request's field as services name it, or a function that answers it, for fields that move.
   * - `check`: takes the text, answers what is wrong with it or `null`.
   */
  constructor(input, { path = input.name, check = () => null } = {}) {
    this.input = input;
    this.#check = check;
    this.pathNow = typeof path === "function" ? path : () => path;
    this.#problem = make("p", { id: `${input.id}-problem`, class: "problem", hidden: true });
    input.after(this.#problem);
    const hint = input.getAttribute("aria-describedby");
    input.setAttribute("aria-describedby", [this.#problem.id, hint].filter(Boolean).join(" "));
    input.addEventListener("input", () => {
      // Nobody is told off while still typing; a problem that was said goes as soon as it is solved.
      if (this.hasProblem && !this.#check(input.value)) this.clear();
    });
  }

  get hasProblem() {
    return !this.#problem.hidden;
  }

  get problemText() {
    return this.#problem.textContent;
  }

  /** Whether the text is as it must be; says the problem if not. */
  validate() {
    const problem = this.#check(this.input.value);
    if (problem) this.show(problem);
    else this.clear();
    return !problem;
  }

  /** - `content`: a text, or nodes. */
  show(...content) {
    this.#problem.replaceChildren(...content);
    this.#problem.hidden = false;
    this.input.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.#problem.hidden = true;
    this.#problem.replaceChildren();
    this.input.removeAttribute("aria-invalid");
  }
}

export class Form {
  #button;
  #restingText;
  #busyText;
  #problem;
  #send;
  #explain;
  #comfort;
  isBusy = false;

  /**
   * - `busyText`: what the button says while waiting.
   * - `send`: makes the call and shows its outcome; an error that it throws is shown here.
   * - `explain(error)`: may show an error itself; answers the field where, or `null`.
   * - `comfort`: what may be said to those who fear that a second try does it twice.
   */
  constructor(element, { fields, busyText, send, explain = () => null, comfort = "" }) {
    this.element = element;
    this.fields = fields;
    this.#busyText = busyText;
    this.#send = send;
    this.#explain = explain;
    this.#comfort = comfort;
    this.#button = element.querySelector("button[type=submit]");
    this.#restingText = this.#button.textContent;
    this.#problem = make("p", { class: "form-problem", role: "alert", hidden: true });
    this.#button.before(this.#problem);
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Empty, and without a word about what was wrong. */
  reset() {
    this.element.reset();
    this.clearProblems();
  }

  clearProblems() {
    for (const field of this.fields) field.clear();
    this.#say(null);
  }

  async #submit() {
    if (this.isBusy) return;
    this.#say(null);
    const wrong = this.fields.filter((field) => !field.validate());
    if (wrong.length > 0) {
      this.#say(`${count(wrong.length, "field needs", "fields need")} another look.`);
      wrong[0].input.focus();
      return;
    }
    this.#setBusy(true);
    const speaking = setTimeout(() => announce(this.#busyText), busyWordsAfterMs);
    try {
      await this.#send();
    } catch (error) {
      this.#fail(error);
    } finally {
      clearTimeout(speaking);
      this.#setBusy(false);
    }
  }

  #fail(error) {
    const field = this.#explain(error) ?? this.#fieldOf(error);
    if (field) {
      field.input.focus();
      // Where the focus was there already, nothing else would read it out.
      announce(field.problemText);
      return;
    }
    if (error.kind === undefined) console.error(error);
    this.#say(isUncertain(error) ? `${words(error)} ${this.#comfort}`.trim() : words(error));
  }

  /** The field that a refusal names, with what is said about it beside it. */
  #fieldOf(error) {
    if (error.status !== 400) return null;
    const named = fieldProblem(error.detail, this.fields.map((field) => field.pathNow()));
    const field = named && this.fields.find((candidate) => candidate.pathNow() === named.path);
    if (!field) return null;
    // The text before any "(optional)".
    const label = field.input.labels[0]?.firstChild?.textContent.trim() ?? "This";
    field.show(sentence(`${label} ${named.text || "is not right"}`));
    return field;
  }

  #say(text) {
    this.#problem.hidden = text === null;
    this.#problem.textContent = text ?? "";
  }

  /** The button stays where the keyboard is: a disabled one would drop it. */
  #setBusy(isBusy) {
    this.isBusy = isBusy;
    this.element.setAttribute("aria-busy", String(isBusy));
    if (isBusy) this.#button.setAttribute("aria-disabled", "true");
    else this.#button.removeAttribute("aria-disabled");
    this.#button.textContent = isBusy ? this.#busyText : this.#restingText;
    // What is being sent must not change under way.
    for (const field of this.fields) field.input.readOnly = isBusy;
  }
}
