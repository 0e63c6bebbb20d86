/**
 * JSON as Go writes it, which is what all answers of NSQ's programs are written with.
 *
 * Compact; keys in the order in which they were put; `<`, `>`, `&` and the two line separators of Unicode escaped,
 * so that an answer may stand inside HTML and JavaScript; text that is no valid Unicode has U+FFFD where it is
 * wrong. Numbers need no rule of their own: Go writes a float64 as JavaScript does.
 */

const SPECIALS = /[<>&\u2028\u2029]/g;

/** How `JSON.stringify()` begins the escape of half a surrogate pair; other text may hold it too. */
const LONE_SURROGATE = "\\ud";

/** Encodes `value`, which must be plain data. */
export function encodeJson(value: unknown): string {
  let text = JSON.stringify(value);
  // A function that sees every value makes this four times slower, so only what may need one gets it.
  if (text.includes(LONE_SURROGATE)) text = JSON.stringify(value, wellFormed);
  return text.replace(SPECIALS, escape);
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === "string" && !value.isWellFormed() ? value.toWellFormed() : value;
}

function escape(character: string): string {
  return "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
}
