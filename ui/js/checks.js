// What a field may hold, said in words before a request is made. The services check again and have the last word; these
// only spare people the wait.

import { number, wholeNumber } from "./format.js";

// The services' limits.
const int32Max = 2 ** 31 - 1;
const nameLengthMax = 200;
const passwordBytesMin = 8;
const passwordBytesMax = 72;

/** Each check takes a field's text and answers what is wrong with it, or `null`. */
export const filled = (what) => (text) => (text.trim() === "" ? `Enter ${what}.` : null);

export const name = (what) => (text) => {
  if (text.trim() === "") return `Enter ${what}.`;
  // Counted as the services do, by code point.
  if ([...text.trim()].length > nameLengthMax) return `Use at most ${number(nameLengthMax)} characters.`;
  return null;
};

export function email(text) {
  if (text.trim() === "") return "Enter your email address.";
  return /^[^\s@]+@[^\s@]+$/.test(text.trim()) ? null : "Enter an address such as ada@example.com.";
}

export function newPassword(text) {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0) return "Choose a password.";
  if (bytes < passwordBytesMin) return `Use at least ${passwordBytesMin} characters.`;
  if (bytes > passwordBytesMax) return `Use at most ${passwordBytesMax} characters; those beyond a to z count more.`;
  return null;
}

export const amount = (what, example) => (text) => {
  if (text.trim() === "") return `Enter ${what}.`;
  const value = wholeNumber(text);
  if (value === null) return `Enter a whole number in digits, such as ${example}.`;
  if (value === 0) return "Enter a number above 0.";
  if (value > int32Max) return `Enter a number of at most ${number(int32Max)}.`;
  return null;
};
