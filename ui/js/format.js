// Numbers, times and counts, as the browser's owner writes them.

const numbers = new Intl.NumberFormat();
const kilogramNumbers = new Intl.NumberFormat(undefined, { style: "unit", unit: "kilogram" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric", minute: "2-digit" });
const dateAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
// The words around the number are English, whatever the digits are.
const plurals = new Intl.PluralRules("en");

export const number = (value) => numbers.format(value);
export const kilograms = (value) => kilogramNumbers.format(value);
export const timeOfDay = (date) => clock.format(date);
export const dayAndTime = (date) => dayAndClock.format(date);
export const dateAndTime = (date) => dateAndClock.format(date);

/** `count(1, "container")` is "1 container", `count(3, "container")` is "3 containers". */
export function count(value, noun, nouns = `${noun}s`) {
  return `${number(value)} ${plurals.select(value) === "one" ? noun : nouns}`;
}

const groupMark = numbers.formatToParts(1234567).find((part) => part.type === "group")?.value ?? ",";

/**
 * The whole number in a text such as "55000", "55 000" or "55,000"; `null` if it is none.
 *
 * Marks between digits are taken only where they part thousands: "1,5" is one and a half to many, and never 15.
 */
export function wholeNumber(text) {
  const plain = text.trim().replace(/[\u00a0\u2009\u202f]/g, " ");
  if (/^\d+$/.test(plain)) return Number(plain);
  for (const mark of [" ", "'", "’", groupMark]) {
    const groups = plain.split(mark);
    const isGrouped =
      groups.length > 1 &&
      /^\d{1,3}$/.test(groups[0]) &&
      // Lakhs and crores come in twos; thousands always in threes.
      groups.slice(1, -1).every((group) => /^\d{2,3}$/.test(group)) &&
      /^\d{3}$/.test(groups.at(-1));
    if (isGrouped) return Number(groups.join(""));
  }
  return null;
}
