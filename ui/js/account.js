// Signing up, logging in and out.

import { announce } from "./announce.js";
import { call, CallError } from "./api.js";
import { email, filled, name, newPassword } from "./checks.js";
import { find, make } from "./dom.js";
import { dayAndTime } from "./format.js";
import { Field, Form } from "./forms.js";
import { Keys } from "./keys.js";
import { session } from "./session.js";
import { onEnter } from "./views.js";

const keys = new Keys();
/** Why somebody has to log in, said once. */
let notice = "";

export function startAccount() {
  const forms = [loginForm(), signupForm()];
  for (const box of document.querySelectorAll("[data-shows-password]")) {
    const input = find(box.dataset.showsPassword);
    box.addEventListener("change", () => {
      input.type = box.checked ? "text" : "password";
    });
    // A form that is emptied hides its password again.
    box.form.addEventListener("reset", () => {
      input.type = "password";
    });
  }
  find("logout").addEventListener("click", () => session.end("logout"));
  onEnter("login", showNotice);
  onEnter("signup", showNotice);
  session.onChange((current, reason) => {
    keys.clear();
    for (const form of forms) form.reset();
    notice = {
      over: `Your session is over. Log in to go on${isSomethingTyped() ? ": what you typed is still there" : ""}.`,
      logout: "You are logged out.",
    }[reason] ?? "";
    showAccount(current);
    if (reason === "begin") announce(`Welcome, ${current.user.name || "you are logged in"}.`);
  });
}

function loginForm() {
  const fields = {
    email: new Field(find("login-email"), { check: email }),
    password: new Field(find("login-password"), { check: filled("your password") }),
  };
  return new Form(find("login-form"), {
    fields: Object.values(fields),
    busyText: "Logging in…",
    send: async () => {
      tellWhy("");
      const answer = await call("auth", "Auth.Auth", {
        email: fields.email.input.value.trim(),
        password: fields.password.input.value,
      });
      begin(answer.token);
    },
    explain: (error) => {
      if (error.status !== 401) return null;
      fields.password.show("Email or password is wrong.");
      return fields.password;
    },
  });
}

function signupForm() {
  const fields = {
    name: new Field(find("signup-name"), { check: name("your name") }),
    company: new Field(find("signup-company")),
    email: new Field(find("signup-email"), { check: email }),
    password: new Field(find("signup-password"), { check: newPassword }),
  };
  return new Form(find("signup-form"), {
    fields: Object.values(fields),
    busyText: "Signing up…",
    send: async () => {
      const request = {
        name: fields.name.input.value.trim(),
        company: fields.company.input.value.trim(),
        email: fields.email.input.value.trim(),
        password: fields.password.input.value,
      };
      tellWhy("");
      const answer = await keys.use(request, (key) => call("auth", "Auth.Create", request, { key }));
      begin(answer.token?.token, answer.user);
    },
    explain: (error) => {
      if (error.status !== 409) return null;
      fields.email.show(
        "There is an account with this email. ", make("a", { href: "#login" }, "Log in instead?"));
      return fields.email;
    },
  });
}

function begin(token, user) {
  if (typeof token !== "string" || token === "") throw new CallError("unreadable");
  session.begin(token, user);
}

function isSomethingTyped() {
  return [...document.querySelectorAll("main input:not([type=checkbox])")].some((input) => input.value !== "");
}

function tellWhy(text) {
  notice = text;
  for (const element of document.querySelectorAll("[data-notice]")) {
    element.textContent = text;
    element.hidden = text === "";
  }
}

function showNotice() {
  tellWhy(notice);
  if (notice) announce(notice);
}

function showAccount(current) {
  find("account-name").textContent = current?.user.name || current?.user.email || "you";
  const end = current?.endsAt ? `, until ${dayAndTime(new Date(current.endsAt))}` : "";
  find("account-until").textContent = end;
}
