// What went wrong with a call, in words for people.

import { count } from "./format.js";

const lateAnswer = "There was no answer in time. Try again.";
const sessionOver = "Your session is over. Log in to go on.";

/** What to do about it, for reasons that are known. */
const reasonWords = {
  FLEET_FULL: "No vessel has room for this. Split the consignment, add a vessel, or try again later.",
  NOT_THE_OWNER: "Only the vessel’s owner and operators can change it.",
  UNKNOWN_CONSIGNMENT: "This consignment is no longer there. Refresh the list.",
  UNKNOWN_VESSEL: "This vessel is no longer there. Refresh the fleet.",
};

/** Whether what was asked for may have been done all the same, its answer lost on the way. */
export function isUncertain(error) {
  const mayBeDone = error.status === 408 || error.status === 499 || error.status >= 500;
  return ["offline", "timeout", "unreadable"].includes(error.kind) || mayBeDone;
}

/** What to say about an error that belongs to no field. */
export function words(error) {
  switch (error.kind) {
    case "offline":
      return navigator.onLine === false
        ? "You are offline. Try again when you are back."
        : "Shippy can’t be reached. Check your connection and try again.";
    case "timeout":
      return lateAnswer;
    case "unreadable":
      return "The answer was not one of Shippy’s. Try again in a moment.";
    case "stale":
      return sessionOver;
    case "refused":
      return refusedWords(error);
    default:
      // A mistake of this page, not of the person before it.
      return "Something went wrong in this page. Reload it and try again.";
  }
}

function refusedWords(error) {
  if (Object.hasOwn(reasonWords, error.reason)) return reasonWords[error.reason];
  switch (error.status) {
    case 400:
    case 403:
    case 404:
      return sentence(error.detail) || "This can’t be done as it is.";
    case 401:
      return sessionOver;
    case 409:
      return "This was changed meanwhile. Try again.";
    case 413:
      return "This is more than fits in one request. Use fewer containers or shorter texts.";
    case 429:
      return error.retryAfterSeconds
        ? `Too many tries. Wait ${count(error.retryAfterSeconds, "second")}, then try again.`
        : "Too many tries. Wait a moment, then try again.";
    case 408:
    case 499:
    case 504:
      return lateAnswer;
    case 502:
    case 503:
      return "This part of Shippy is not there right now. Try again in a moment.";
    default:
      return error.requestId
        ? `Something went wrong on our side (number ${error.requestId}). Try again in a moment.`
        : "Something went wrong on our side. Try again in a moment.";
  }
}

/**
 * What is said about a field, as a sentence that begins with its label.
 *
 * The gateway writes `request.containers[0].origin: expected a string`, the services `weight must be above 0`. A
 * description that does not begin with the field's path is a sentence of its own.
 */
export function fieldSentence(label, path, description) {
  const text = description.replace(/^request\./, "");
  const rest = text.startsWith(path) ? text.slice(path.length) : null;
  if (rest === null || !/^[:\s]/.test(rest)) return sentence(description) || `${label} is not right.`;
  return sentence(`${label} ${rest.replace(/^:?\s*/, "")}`);
}

/** With a capital letter and a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
