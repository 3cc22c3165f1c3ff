// Calls to the services, through the gateway that also served this page.

/** Longer than the gateway gives the services, so that its own answer arrives first where there is one. */
const timeoutMs = 12_000;
/** A busy service may name any time; beyond this nobody waits in front of a page. */
const retryAfterSecondsMax = 3_600;

/** Why a call gave no answer. */
export class CallError extends Error {
  /**
   * - `kind`: "refused" (the answer is an error), "offline" (the gateway can't be reached), "timeout", "unreadable"
   *   (something else than the gateway answered) or "stale" (the session ended meanwhile).
   * - `status`: the HTTP status; 0 without an answer.
   * - `detail`: what the service says, in its words.
   * - `service`: who says so, such as "shippy.vessel".
   */
  constructor(kind, { status = 0, detail = "", service = "", retryAfterSeconds = null, requestId = "" } = {}) {
    super(detail || kind);
    Object.assign(this, { kind, status, detail, service, retryAfterSeconds, requestId });
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
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  const about = {
    status: response.status,
    retryAfterSeconds: seconds >= 0 ? Math.min(Math.ceil(seconds), retryAfterSecondsMax) : null,
    requestId: response.headers.get("x-request-id") ?? "",
  };
  // A proxy in between may answer with a page of its own.
  if (response.ok) return new CallError("unreadable", about);
  return new CallError("refused", {
    ...about,
    detail: typeof message?.detail === "string" ? message.detail : "",
    service: typeof message?.id === "string" ? message.id : "",
  });
}
