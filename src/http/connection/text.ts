/**
 * Bytes as text, and the other way round.
 *
 * Tested in test/http/connection/request_head_test.ts.
 */
import { Buffer } from "node:buffer";

/** Each byte as the character of its number. */
export function decodeLatin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

/** The text that `latin1`, of which each character is a byte, is in UTF-8. */
export function decodeUtf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
