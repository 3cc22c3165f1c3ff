// Calls to the services, through the gateway that also served this page.

import { boundedSeconds, errorDetails } from "./details.js";

/** Longer than the gateway gives the services, so that its own answer arrives first where there is one. */
const timeoutMs = 12_000;

/** Why a call gave no answer. */
export class CallError extends Error {
  /**
   * - `kind`: "refused" (the answer is an error), "offline" (the gateway can't be reached), "timeout", "unreadable"
   *   (something else than the gateway answered) or "stale" (the session ended meanwhile).
   * - `status`: the HTTP status; 0 without an answer.
   * - `detail`: what the service says, in its words.
   * - `service`: who says so, such as "shippy.vessel".
   * - `reason`: why, as a word that stays the same, such as "FLEET_FULL"; empty without one.
   * - `violations`: the fields that are wrong, `{ field, description }`.
   * - `retryAfterSeconds`: when to come back; `null` if nothing is said about it.
   */
  constructor(kind, about = {}) {
    super(about.detail || kind);
    Object.assign(this, {
      kind, status: 0, detail: "", service: "", reason: "", violations: [], retryAfterSeconds: null, requestId: "",
      ...about,
    });
  }
}

/**
 * Calls `method` of `service` and answers its message.
 *
 * - `key`: an idempotency key; a repeat with the same key and request does nothing twice.
 * - `signal`: gives the call up; it then throws the signal's reason, as fetch does.
 * - Throws `CallError`.
 */
export async function call(service, method, request, { token = null, key = null, signal = null } = {}) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), timeoutMs);
  const giveUp = () => ending.abort();
  signal?.addEventListener("abort", giveUp);
  let response;
  let text;
  try {
    signal?.throwIfAborted();
    response = await fetch("/rpc", {
      method: "POST",
      headers,
      // Without a namespace: the gateway knows services by their short names whatever its own is.
      body: JSON.stringify({ service, method, request }),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: ending.signal,
    });
    text = await response.text();
  } catch {
    signal?.throwIfAborted();
    throw new CallError(ending.signal.aborted ? "timeout" : "offline");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
  const message = parsed(text);
  if (response.ok && message) return message;
  throw refusal(response, message);
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function refusal(response, message) {
  const details = errorDetails(message?.details);
  const about = {
    status: response.status,
    // The header too: a proxy in between, which knows no details, may send it.
    retryAfterSeconds: details.retrySeconds ?? boundedSeconds(Number(response.headers.get("retry-after") ?? NaN)),
    requestId: response.headers.get("x-request-id") ?? "",
  };
  // A proxy in between may answer with a page of its own.
  if (response.ok) return new CallError("unreadable", about);
  return new CallError("refused", {
    ...about,
    reason: details.reason,
    violations: details.violations,
    detail: typeof message?.detail === "string" ? message.detail : "",
    service: typeof message?.id === "string" ? message.id : "",
  });
}
