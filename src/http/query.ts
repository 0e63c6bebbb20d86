/**
 * The parameters of a request, from the query string alone.
 *
 * It is parsed as a whole and strictly: one bad escape or raw `;` anywhere refuses the request, also in a
 * parameter that nobody asks for.
 */
import { invalidRequest } from "./errors.ts";

const UTF8 = new TextDecoder();
const ENCODER = new TextEncoder();
const PERCENT = 0x25;

export class Query {
  readonly #keys: string[] = [];
  readonly #values: string[] = [];

  /**
   * @param text what follows the `?`, as it was sent
   * @throws {HttpError} 400 INVALID_REQUEST
   */
  constructor(text: string) {
    if (text.includes(";")) throw invalidRequest();
    for (let start = 0; start < text.length;) {
      let end = text.indexOf("&", start);
      if (end < 0) end = text.length;
      if (end > start) this.#add(text, start, end);
      start = end + 1;
    }
  }

  #add(text: string, start: number, end: number): void {
    let equals = text.indexOf("=", start);
    if (equals < 0 || equals > end) equals = end;
    this.#keys.push(unescape(text.slice(start, equals)));
    this.#values.push(unescape(text.slice(equals + 1, end)));
  }

  /** The first value of `key`: "" when it came without one, undefined when it did not come. */
  get(key: string): string | undefined {
    const at = this.#keys.indexOf(key);
    return at < 0 ? undefined : this.#values[at];
  }
}

function unescape(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // It throws for bad escapes, and also for good ones whose bytes are no UTF-8, which are no reason to refuse.
    return unescapeBytes(spaced);
  }
}

function unescapeBytes(text: string): string {
  const bytes = ENCODER.encode(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at];
    if (byte === PERCENT) {
      byte = hexDigit(bytes[at + 1]) * 16 + hexDigit(bytes[at + 2]);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return UTF8.decode(bytes.subarray(0, length));
}

/** @throws {HttpError} when `byte` is no hexadecimal digit, or is missing */
function hexDigit(byte: number | undefined): number {
  const value = byte === undefined ? NaN : parseInt(String.fromCharCode(byte), 16);
  if (Number.isNaN(value)) throw invalidRequest();
  return value;
}
