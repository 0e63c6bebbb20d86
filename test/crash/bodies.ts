/**
 * Message bodies that say who they are: a number, the topic, filler that follows from the number, and a
 * checksum, so that a body that was cut, mixed up or made up shows.
 *
 *     0..4 number | 4..5 topic | filler | 4 bytes CRC-32 of all before
 */
import { crc32 } from "node:zlib";

export const MIN_BODY_BYTES = 9;

export function makeBody(number: number, topic: number, byteCount: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(byteCount, MIN_BODY_BYTES)), view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  bytes[4] = topic;
  bytes.fill(number % 251, 5, bytes.length - 4);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)));
  return bytes;
}

/** The number and topic in a body, or null when it is not intact. */
export function readBody(bytes: Uint8Array): { number: number; topic: number } | null {
  if (bytes.length < MIN_BODY_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const checksum = view.getUint32(bytes.length - 4);
  if (crc32(bytes.subarray(0, bytes.length - 4)) !== checksum) return null;
  return { number: view.getUint32(0), topic: bytes[4] };
}
