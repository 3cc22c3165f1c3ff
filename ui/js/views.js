// Which part of the page shows. The address's fragment names it, so that back, forward and bookmarks work.

import { find } from "./dom.js";
import { session } from "./session.js";

const signedOut = ["login", "signup"];
const signedIn = ["book", "consignments"];
/** For everybody, logged in or not. */
const open = ["vessels"];
const all = [...signedOut, ...signedIn, ...open];

const entering = new Map();
/** Where somebody wanted to go before they had to log in. */
let wanted = null;
let shown = null;

/** `action` runs each time the view comes up. */
export function onEnter(name, action) {
  entering.set(name, action);
}

/** Whether this view is the one that shows. */
export function isShown(name) {
  return shown === name;
}

/** Goes to a view, as a link to it would. */
export function go(name) {
  if (location.hash === `#${name}`) update({ moveFocus: true });
  else location.hash = name;
}

/** Shows what the address asks for, and goes on to follow it. */
export function start() {
  addEventListener("hashchange", () => update({ moveFocus: true }));
  // The skip link leads to a place, not to a view.
  find("skip").addEventListener("click", (event) => {
    event.preventDefault();
    find("main").focus();
  });
  session.onChange((current, reason) => {
    if (reason === "begin") {
      const target = wanted ?? "book";
      wanted = null;
      go(target);
    } else if (!current) {
      wanted = reason === "over" && !signedOut.includes(shown) ? shown : null;
      go("login");
    }
  });
  update({ moveFocus: false });
}

function update({ moveFocus }) {
  const asked = location.hash.slice(1);
  const name = allowed(all.includes(asked) ? asked : "");
  if (name !== asked) {
    // No entry of its own in the history: back would only lead here again.
    history.replaceState(null, "", `#${name}`);
  }
  const isChange = name !== shown;
  shown = name;
  for (const view of all) section(view).hidden = view !== name;
  find("welcome").hidden = !signedOut.includes(name);
  find("account").hidden = !session.current;
  for (const link of document.querySelectorAll("[data-view]")) {
    link.parentElement.hidden = (session.current ? signedOut : signedIn).includes(link.dataset.view);
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const heading = section(name).querySelector("h1");
  document.title = `${heading.textContent} · Shippy`;
  if (moveFocus) {
    // Reads the new view's name out, and lets the keyboard go on from its top.
    heading.focus();
    if (isChange) scrollTo(0, 0);
  }
  entering.get(name)?.();
}

/** Not `#book` itself: the browser would scroll to it and start the keyboard there, past the way to skip. */
const section = (name) => find(`${name}-view`);

function allowed(name) {
  if (open.includes(name)) return name;
  if (session.current) return signedIn.includes(name) ? name : "book";
  if (signedIn.includes(name)) wanted = name;
  return signedOut.includes(name) ? name : "login";
}
