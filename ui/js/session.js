// Who is logged in, and until when.
//
// The token lives in sessionStorage: it outlasts a reload, not the tab, and no other tab or origin sees it. It is never
// put into an address.

import { call, CallError } from "./api.js";

const storageKey = "shippy.session";
/** Whose things the page may still hold after a session ran out. */
const lastUserKey = "shippy.user";
/** The longest wait that browsers' timers keep. */
const timerMsMax = 2 ** 31 - 1;

let current = null;
let timer = null;
const listeners = [];
const forgetting = [];

export const session = {
  /**
   * `{ token, endsAt, user: { id, name, email, isOperator } }`, or `null`. `endsAt` is in milliseconds; `null` if
   * unknown.
   */
  get current() {
    return current;
  },

  /** `listener(current, reason)` hears of each beginning and end: "begin", "restore", "logout", "over". */
  onChange(listener) {
    listeners.push(listener);
  },

  /** `action` runs when what was typed and seen must go: at a logout, or when another than the last one logs in. */
  onForget(action) {
    forgetting.push(action);
  },

  /** Takes up the session that a reload interrupted, if there is one. */
  restore() {
    const kept = load(storageKey);
    if (typeof kept?.token !== "string" || typeof kept.user?.id !== "string") return;
    if (isOver(kept)) {
      store(storageKey, null);
      tell("over");
    } else {
      current = kept;
      watch();
      tell("restore");
    }
  },

  /** - `signedUp`: the user as the answer to a sign-up has it, for what the token does not say. */
  begin(token, signedUp = {}) {
    const claims = claimsOf(token);
    const user = { ...signedUp, ...(typeof claims.user === "object" ? claims.user : {}) };
    const id = text(claims.sub) || text(user.id);
    const last = load(lastUserKey);
    if (last !== null && last !== id) forget();
    // Decides what the page offers; what is allowed is for the services to decide.
    const isOperator = Array.isArray(user.roles) && user.roles.includes("operator");
    current = {
      token, endsAt: endOf(claims), user: { id, name: text(user.name), email: text(user.email), isOperator },
    };
    store(storageKey, current);
    store(lastUserKey, id);
    watch();
    tell("begin");
  },

  /** - `reason`: "logout", or "over" when the token is no longer good. */
  end(reason) {
    if (!current) return;
    current = null;
    clearTimeout(timer);
    store(storageKey, null);
    if (reason === "logout") {
      store(lastUserKey, null);
      forget();
    }
    tell(reason);
  },
};

/**
 * A call in the name of who is logged in. A token that is refused ends the session, and the error goes on.
 *
 * An answer that arrives after the session's end is for nobody: the next one at the page may be another. It is dropped,
 * and the idempotency key brings it back if the same person asks again.
 */
export async function callSignedIn(service, method, request, options = {}) {
  const token = current?.token ?? null;
  try {
    const answer = await call(service, method, request, { ...options, token });
    if (token !== (current?.token ?? null)) throw new CallError("stale");
    return answer;
  } catch (error) {
    // An answer to an older token says nothing about the one that came after it.
    if (error.status === 401 && token === (current?.token ?? null)) session.end("over");
    throw error;
  }
}

/** The part of a token that anyone may read. It is shown, never trusted: that is for the services. */
function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

/** Counted from now where the token says how long it is good for: this machine's clock may be wrong. */
function endOf(claims) {
  if (!Number.isFinite(claims.exp)) return null;
  return Number.isFinite(claims.iat) ? Date.now() + (claims.exp - claims.iat) * 1000 : claims.exp * 1000;
}

const text = (value) => (typeof value === "string" ? value : "");
const isOver = (kept) => kept.endsAt !== null && Date.now() >= kept.endsAt;

function watch() {
  clearTimeout(timer);
  if (!current || current.endsAt === null) return;
  if (isOver(current)) return session.end("over");
  timer = setTimeout(watch, Math.min(current.endsAt - Date.now(), timerMsMax));
}

// Timers sleep with the machine.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") watch();
});

function tell(reason) {
  for (const listener of listeners) listener(current, reason);
}

function forget() {
  for (const action of forgetting) action();
}

// Storage may be switched off; the session then ends with the page.

function store(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Kept in memory only.
  }
}

function load(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}
