// The structured details of an error, as google/rpc/error_details.proto has them: what programs read beside its text.

/** A service may name any time; a longer wait is cut to this, so that a button is never lost for good. */
const retrySecondsMax = 3_600;
/** More than a form has fields. */
const violationsMax = 2_100;

/**
 * Reads `details` of the gateway's error JSON. What has another shape is left out.
 *
 * - `violations`: BadRequest's `{ field, description }`; `field` is a path such as `containers[2].origin`.
 * - `reason`: ErrorInfo's word in capitals, such as "FLEET_FULL"; empty without one.
 * - `retrySeconds`: RetryInfo's delay, rounded up; `null` without one.
 */
export function errorDetails(list) {
  const found = { violations: [], reason: "", retrySeconds: null };
  for (const detail of Array.isArray(list) ? list : []) {
    switch (typeName(detail)) {
      case "BadRequest":
        found.violations.push(...violationsOf(detail));
        break;
      case "ErrorInfo":
        found.reason ||= text(detail.reason);
        break;
      case "RetryInfo":
        found.retrySeconds ??= secondsOf(detail.retry_delay);
        break;
    }
  }
  return found;
}

/** A wait as the page uses it: whole seconds within bounds, or `null`. */
export function boundedSeconds(value) {
  return value >= 0 ? Math.min(Math.ceil(value), retrySecondsMax) : null;
}

/** `type.googleapis.com/google.rpc.BadRequest` is a "BadRequest". */
function typeName(detail) {
  return text(detail?.["@type"]).match(/(?:^|\/)google\.rpc\.(\w+)$/)?.[1] ?? "";
}

function violationsOf({ field_violations: list }) {
  if (!Array.isArray(list)) return [];
  return list.slice(0, violationsMax).map((one) => ({ field: text(one?.field), description: text(one?.description) }));
}

/** A duration in the JSON mapping, such as "2s" or "1.500s". */
function secondsOf(duration) {
  const match = text(duration).match(/^(\d+(?:\.\d+)?)s$/);
  return match ? boundedSeconds(Number(match[1])) : null;
}

const text = (value) => (typeof value === "string" ? value : "");
