/**
 * Finds the key of a message in its body, as the topic's policy says: messages of one key are kept in order.
 *
 * Per message there is one text, the key; a body that holds none costs no more than looking.
 */

/** The key in `bytes[start, end)`; null when there is none, and then the message has no order. */
export type KeyFinder = (bytes: Uint8Array, start: number, end: number) => string | null;

/** The longest key, bytes. */
export const MAX_KEY_BYTES = 256;

const decoder = new TextDecoder();

/** @param place as `parseSettings()` lets it through: empty, `prefix:<byte>` or `json:<path>` */
export function keyFinder(place: string): KeyFinder | null {
  if (place === "") return null;
  const rest = place.slice(place.indexOf(":") + 1);
  return place.startsWith("prefix:")
    ? prefixFinder(new TextEncoder().encode(rest)[0])
    : jsonFinder(rest.split("."));
}

function prefixFinder(delimiter: number): KeyFinder {
  return (bytes, start, end) => {
    const limit = Math.min(end, start + MAX_KEY_BYTES + 1);
    for (let at = start; at < limit; at++) {
      if (bytes[at] !== delimiter) continue;
      // Latin-1 keeps bytes apart that are no UTF-8, and is read fastest.
      return String.fromCharCode.apply(null, bytes.subarray(start, at) as unknown as number[]);
    }
    return null;
  };
}

function jsonFinder(path: readonly string[]): KeyFinder {
  return (bytes, start, end) => {
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(bytes.subarray(start, end)));
    } catch {
      return null; // A body that is no JSON has no key.
    }
    for (const name of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
      value = (value as Record<string, unknown>)[name];
    }
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return null;
    const key = String(value);
    return key.length <= MAX_KEY_BYTES ? key : null;
  };
}
