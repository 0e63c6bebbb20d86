/**
 * The record: one message, laid out as the frame that a consumer receives, and the codec of its id.
 *
 * Layout (big-endian), specified for the wire in NSQ's protocol V2 (frame type 2):
 *
 *     0..4    int32   size of what follows = 30 + body bytes
 *     4..8    int32   frame type 2
 *     8..16   int64   timestamp, ns since the Unix epoch, of the publish
 *     16..18  uint16  attempts, 1 as stored; a redelivery sends a patched copy
 *     18..34  id      16 lower-case hex digits
 *     34..    body
 *
 * A message id is a 63-bit number: 10 bits of node id, then 53 bits of sequence number. The sequence
 * number alone finds the message in its topic, so FIN, REQ and TOUCH need no lookup table. Ids are
 * opaque to clients.
 */

/** Bytes of a record before its body. */
export const RECORD_OVERHEAD = 34;
/** What the size field counts besides the body: frame type, timestamp, attempts and id. */
export const RECORD_SIZE_OVERHEAD = 30;
export const FRAME_TYPE_RESPONSE = 0;
export const FRAME_TYPE_ERROR = 1;
export const FRAME_TYPE_MESSAGE = 2;
export const FRAME_TYPE_OFFSET = 4;
export const TIMESTAMP_OFFSET = 8;
export const ATTEMPTS_OFFSET = 16;
export const ID_OFFSET = 18;
export const ID_LENGTH = 16;

/** Four ASCII hex digits of every 16-bit value, as one big-endian 32-bit word. */
export const HEX_WORDS: Uint32Array = buildHexWords();

function buildHexWords(): Uint32Array {
  const digits = new TextEncoder().encode("0123456789abcdef");
  const pairs = Uint16Array.from({ length: 256 }, (_, i) => digits[i >> 4] << 8 | digits[i & 15]);
  const words = new Uint32Array(65_536), row = new Uint32Array(256);
  for (let high = 0; high < 256; high++) {
    for (let low = 0; low < 256; low++) row[low] = pairs[high] * 65_536 + pairs[low];
    words.set(row, high * 256);
  }
  return words;
}

const NOT_HEX = 0xff;
/** Value of each lower-case hex digit by its ASCII code; upper case never occurs in an id of ours. */
const HEX_VALUES: Uint8Array = buildHexValues();

function buildHexValues(): Uint8Array {
  const values = new Uint8Array(256).fill(NOT_HEX);
  for (let i = 0; i < 10; i++) values[48 + i] = i;
  for (let i = 10; i < 16; i++) values[87 + i] = i;
  return values;
}

/** Reads four hex digits at `pos`; -1 when one of them is not a lower-case hex digit. */
export function parseHex4(bytes: Uint8Array, pos: number): number {
  const a = HEX_VALUES[bytes[pos]], b = HEX_VALUES[bytes[pos + 1]];
  const c = HEX_VALUES[bytes[pos + 2]], d = HEX_VALUES[bytes[pos + 3]];
  return ((a | b | c | d) & 0xf0) !== 0 ? -1 : a << 12 | b << 8 | c << 4 | d;
}

/** The upper 32 bits of the id of message `seq` of node `nodeId` (0..1023). */
export function idHighWord(nodeId: number, seq: number): number {
  return (nodeId << 21 | Math.floor(seq / 4294967296)) >>> 0;
}

/**
 * Reads the sequence number out of the 16 id bytes at `pos`.
 *
 * @returns -1 when the bytes are no id of node `nodeId`
 */
export function parseId(bytes: Uint8Array, pos: number, nodeId: number): number {
  const w0 = parseHex4(bytes, pos), w1 = parseHex4(bytes, pos + 4);
  const w2 = parseHex4(bytes, pos + 8), w3 = parseHex4(bytes, pos + 12);
  if ((w0 | w1 | w2 | w3) < 0 || w0 >> 5 !== nodeId) return -1;
  return ((w0 & 31) * 65536 + w1) * 4294967296 + (w2 * 65536 + w3);
}

/** The id of message `seq` of node `nodeId`, 16 hex digits. */
export function formatId(nodeId: number, seq: number): string {
  return idHighWord(nodeId, seq).toString(16).padStart(8, "0") +
    (seq % 4294967296).toString(16).padStart(8, "0");
}

/**
 * Writes all of a record but its body, with 1 as attempts.
 *
 * @param timeHigh and `timeLow`: the two halves of the timestamp
 * @param idWord0 and `idWord1`: `HEX_WORDS` of the two halves of `idHighWord()`
 * @param low the lower 32 bits of the sequence number
 */
export function writeRecordHead(
  view: DataView,
  at: number,
  bodyBytes: number,
  timeHigh: number,
  timeLow: number,
  idWord0: number,
  idWord1: number,
  low: number,
): void {
  view.setUint32(at, bodyBytes + RECORD_SIZE_OVERHEAD);
  view.setUint32(at + FRAME_TYPE_OFFSET, FRAME_TYPE_MESSAGE);
  view.setUint32(at + TIMESTAMP_OFFSET, timeHigh);
  view.setUint32(at + TIMESTAMP_OFFSET + 4, timeLow);
  view.setUint16(at + ATTEMPTS_OFFSET, 1);
  view.setUint32(at + ID_OFFSET, idWord0);
  view.setUint32(at + ID_OFFSET + 4, idWord1);
  view.setUint32(at + ID_OFFSET + 8, HEX_WORDS[low >>> 16]);
  view.setUint32(at + ID_OFFSET + 12, HEX_WORDS[low & 0xffff]);
}

/** Writes the id of message `seq` as 16 hex digits at `pos`. */
export function writeId(view: DataView, pos: number, nodeId: number, seq: number): void {
  const high = idHighWord(nodeId, seq), low = seq >>> 0;
  view.setUint32(pos, HEX_WORDS[high >>> 16]);
  view.setUint32(pos + 4, HEX_WORDS[high & 0xffff]);
  view.setUint32(pos + 8, HEX_WORDS[low >>> 16]);
  view.setUint32(pos + 12, HEX_WORDS[low & 0xffff]);
}
