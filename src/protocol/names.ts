/**
 * The names of topics and channels: which are valid, and which mark an ephemeral topic or channel.
 *
 * Both kinds follow one rule: 1..64 bytes in all, of `.`, `_`, `-`, ASCII letters and digits, and
 * optionally the suffix `#ephemeral` behind at least one of them.
 */

/** Longest name in bytes, the suffix included. */
export const MAX_NAME_LENGTH = 64;

const EPHEMERAL_SUFFIX = "#ephemeral";
const VALID_NAME = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/;

const EPHEMERAL_SUFFIX_BYTES = new TextEncoder().encode(EPHEMERAL_SUFFIX);
const NAME_BYTES = nameByteTable();

function nameByteTable(): Uint8Array {
  const table = new Uint8Array(256);
  const allowed = ".-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const byte of new TextEncoder().encode(allowed)) table[byte] = 1;
  return table;
}

/** Says whether `name` may name a topic or a channel. */
export function isValidName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && VALID_NAME.test(name);
}

/**
 * Says whether the bytes `buf[start, end)` may name a topic or a channel; the same rule as
 * `isValidName()`, without decoding and without allocation, because each publish asks it.
 */
export function isValidNameBytes(buf: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < 1 || length > MAX_NAME_LENGTH) return false;
  for (let i = start; i < end; i++) {
    if (NAME_BYTES[buf[i]] === 0) return i > start && isEphemeralSuffix(buf, i, end);
  }
  return true;
}

function isEphemeralSuffix(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start !== EPHEMERAL_SUFFIX_BYTES.length) return false;
  for (let i = 0; i < EPHEMERAL_SUFFIX_BYTES.length; i++) {
    if (buf[start + i] !== EPHEMERAL_SUFFIX_BYTES[i]) return false;
  }
  return true;
}

/** Says whether the topic or channel of this valid name lives in memory only and deletes itself. */
export function isEphemeral(name: string): boolean {
  return name.endsWith(EPHEMERAL_SUFFIX);
}
