/**
 * How bytes that a client sent are put into the text of an answer or a log line.
 *
 * A client may send any byte, and an error echoes its parameters byte for byte. A JavaScript string
 * of Unicode text cannot carry bytes that are not UTF-8, so the text of errors is kept as
 * `ByteText`: a string of which each code unit, 0..255, is one byte of the wire. ASCII text is the
 * same in both forms, which is why the fixed parts of an error are plain literals.
 */
import { Buffer } from "node:buffer";

/** A string whose code units are the bytes of the wire, each 0..255. */
export type ByteText = string;

/** Returns the bytes as they are, one code unit for each; the result does not alias `bytes`. */
export function rawText(bytes: Uint8Array): ByteText {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Returns Unicode text, such as the message of an operating system error, as its UTF-8 bytes. */
export function byteText(text: string): ByteText {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Returns a new array with one byte for each code unit of `text`. */
export function encodeByteText(text: ByteText): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Decodes UTF-8 and puts one U+FFFD for every byte that is not part of a valid sequence.
 *
 * nsqd does so too, whereas `TextDecoder` puts one for a whole truncated sequence.
 */
export function decodeText(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length;) {
    const codePoint = codePointAt(bytes, i);
    parts.push(codePoint < 0 ? "\ufffd" : String.fromCodePoint(codePoint));
    i += codePoint < 0 ? 1 : sequenceLength(codePoint);
  }
  return parts.join("");
}

/**
 * Quotes bytes the way errors show topic and channel names, which is how Go quotes a string.
 *
 * `"` and `\` get a backslash; the seven controls with a letter of their own are `\a \b \f \n \r \t
 * \v`; other controls below 0x20, 0x7f and every byte that is not valid UTF-8 are `\xNN`; printable
 * text stays; what is not printable is `\uNNNN` or `\UNNNNNNNN`. Hex digits are lower case.
 */
export function goQuote(bytes: Uint8Array): ByteText {
  let quoted = '"';
  for (let i = 0; i < bytes.length;) {
    const codePoint = codePointAt(bytes, i);
    if (codePoint < 0) {
      quoted += "\\x" + hex(bytes[i], 2);
      i++;
    } else {
      quoted += quoteCodePoint(codePoint);
      i += sequenceLength(codePoint);
    }
  }
  return quoted + '"';
}

const LETTER_ESCAPES = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** Of the spaces only U+0020 counts as printable; it is ASCII and never gets here. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

function quoteCodePoint(codePoint: number): ByteText {
  const letter = LETTER_ESCAPES.get(codePoint);
  if (letter !== undefined) return letter;
  if (codePoint < 0x20 || codePoint === 0x7f) return "\\x" + hex(codePoint, 2);
  if (codePoint < 0x7f) return String.fromCharCode(codePoint);
  const character = String.fromCodePoint(codePoint);
  if (PRINTABLE.test(character)) return byteText(character);
  return codePoint < 0x10000 ? "\\u" + hex(codePoint, 4) : "\\U" + hex(codePoint, 8);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function sequenceLength(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

/**
 * Returns the code point whose UTF-8 sequence starts at `bytes[at]`, or -1 when none does: a stray
 * or missing continuation byte, an overlong form, a surrogate, or a value above U+10FFFF.
 */
function codePointAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return first;
  if (first < 0xc2 || first > 0xf4) return -1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > bytes.length) return -1;
  let codePoint = first & (0xff >> (length + 1));
  for (let i = at + 1; i < at + length; i++) {
    if ((bytes[i] & 0xc0) !== 0x80) return -1;
    codePoint = (codePoint << 6) | (bytes[i] & 0x3f);
  }
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (isSurrogate || codePoint > 0x10ffff || sequenceLength(codePoint) !== length) return -1;
  return codePoint;
}
