// What all forms have in common: checks before sending, problems beside their fields, progress while waiting.

import { announce } from "./announce.js";
import { Countdown } from "./countdown.js";
import { fieldSentence, isUncertain, sentence, words } from "./errors.js";
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

  /** Without what follows it, such as "(optional)". */
  get label() {
    return this.input.labels[0]?.firstChild?.textContent.trim() ?? "This";
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
  #countdown;
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
    this.#countdown = new Countdown(this.#button);
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
    this.#countdown.stop();
    this.#say(null);
  }

  async #submit() {
    if (this.isBusy || this.#countdown.isRunning) return;
    this.#say(null);
    const wrong = this.fields.filter((field) => !field.validate());
    if (wrong.length > 0) {
      this.#say(fieldsText(wrong.length));
      wrong[0].input.focus();
      return;
    }
    this.#setBusy(true);
    const speaking = setTimeout(() => announce(this.#busyText), busyWordsAfterMs);
    let failure = null;
    try {
      await this.#send();
    } catch (error) {
      failure = error;
    }
    clearTimeout(speaking);
    this.#setBusy(false);
    if (failure) this.#fail(failure);
  }

  #fail(error) {
    const field = this.#explain(error);
    if (field) return this.#goTo(field);
    if (this.#showViolations(error)) return;
    if (error.kind === undefined) console.error(error);
    this.#say(isUncertain(error) ? `${words(error)} ${this.#comfort}`.trim() : words(error));
    if (error.status === 429) {
      this.#countdown.start(error.retryAfterSeconds, () => this.#say("You can try again now.", "over"));
    }
  }

  #goTo(field) {
    field.input.focus();
    // Where the focus was there already, nothing else would read it out.
    announce(field.problemText);
  }

  /** Says beside each field what an error says about it, the rest above the button. Answers whether it named any. */
  #showViolations(error) {
    const rest = [];
    for (const { field: path, description } of error.violations ?? []) {
      const field = this.fields.find((candidate) => candidate.pathNow() === path);
      if (field) field.show(fieldSentence(field.label, path, description));
      else rest.push(sentence(description));
    }
    const wrong = this.fields.filter((field) => field.hasProblem);
    if (wrong.length === 0) return false;
    if (wrong.length > 1) rest.unshift(fieldsText(wrong.length));
    if (rest.length > 0) this.#say(rest.join(" "));
    this.#goTo(wrong[0]);
    return true;
  }

  /** - `mood`: "over" for what is no problem any more. */
  #say(text, mood = "") {
    this.#problem.hidden = text === null;
    this.#problem.textContent = text ?? "";
    this.#problem.dataset.mood = mood;
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

function fieldsText(wrong) {
  return `${count(wrong, "field needs", "fields need")} another look.`;
}
