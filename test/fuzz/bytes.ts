/** Bytes as the fuzzers make them: text of one character a byte, and the ways in which it is spoilt. */
import type { Random } from "../support/random.ts";

/** The bytes of text of which each character stands for a byte. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The other way: a character for each byte. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

export function int32(value: number): string {
  return String.fromCharCode(value >>> 24 & 255, value >>> 16 & 255, value >>> 8 & 255, value & 255);
}

export function readInt32(text: string, at: number): number {
  return text.charCodeAt(at) << 24 | text.charCodeAt(at + 1) << 16 | text.charCodeAt(at + 2) << 8 |
    text.charCodeAt(at + 3);
}

/** A body of `byteCount` bytes. */
export function anyBody(random: Random, byteCount: number): string {
  let text = "";
  for (let i = 0; i < byteCount; i++) text += String.fromCharCode(random.int(256));
  return text;
}

/** Bytes that mean something somewhere. */
const TELLING = [
  "\n",
  "\r",
  " ",
  "\0",
  "\xff",
  "\x80",
  "/",
  "%",
  ":",
  '"',
  "\\",
  "{",
  "}",
  "#",
  "0",
  "-",
  "=",
];

/** Spoils `text` in one place: a byte changed, put in or left out, a stretch doubled, cut out or cut off. */
export function mutate(random: Random, text: string): string {
  const at = random.int(text.length + 1);
  const head = text.slice(0, at), tail = text.slice(at);
  const byte = () => random.chance(0.5) ? random.pick(TELLING) : String.fromCharCode(random.int(256));
  const length = 1 + random.int(random.chance(0.8) ? 8 : 300);
  switch (random.int(7)) {
    case 0:
      return head + byte() + tail;
    case 1:
      return head + byte() + tail.slice(1);
    case 2:
      return head + tail.slice(length);
    case 3:
      return head + tail.slice(0, length) + tail;
    case 4:
      return head;
    case 5:
      return head + anyBody(random, length) + tail;
    default:
      return head + int32(random.pick([0, -1, 1, 0x7fffffff, -0x80000000, 65536, random.int(2000)])) +
        tail.slice(4);
  }
}

/** Lengths of pieces in which a stream arrives: all at once, byte by byte, or anything between. */
export function pieceSizes(random: Random): () => number {
  const kind = random.int(10);
  if (kind < 4) return () => 1 << 20;
  if (kind < 5) return () => 1;
  if (kind < 7) return () => 1 + random.int(20);
  return () => 1 + random.int(600);
}
