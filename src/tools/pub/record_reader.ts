/** Cuts a stream of bytes into messages at a delimiter. */
import { Buffer } from "node:buffer";

/** A message that is longer than can be meant; nsqd takes far less. */
export class RecordTooLong extends Error {
  override name = "RecordTooLong";
}

/** Longest message, bytes: what is not cut by a delimiter would otherwise fill the memory. */
export const MAX_RECORD_BYTES = 256 << 20;

/**
 * Yields, for each piece of input, the messages that end in it, without their delimiters. Empty ones are left out. What
 * stands behind the last delimiter is a message too.
 *
 * The messages are views, which belong to the caller.
 *
 * @param delimiter the byte that ends a message
 * @throws {RecordTooLong}
 */
export async function* readRecords(
  input: AsyncIterable<Uint8Array>,
  delimiter: number,
  maxRecordBytes = MAX_RECORD_BYTES,
): AsyncGenerator<Uint8Array[]> {
  /** The begun message, in the pieces that it came in. */
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of input) {
    const records: Uint8Array[] = [];
    let start = 0;
    for (let end = piece.indexOf(delimiter); end >= 0; end = piece.indexOf(delimiter, start)) {
      const tail = piece.subarray(start, end);
      const record = begunBytes === 0 ? tail : Buffer.concat([...begun, tail]);
      if (record.length > 0) records.push(record);
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    if (start < piece.length) {
      begun.push(piece.subarray(start));
      begunBytes += piece.length - start;
    }
    if (begunBytes > maxRecordBytes) {
      throw new RecordTooLong(`a message of more than ${maxRecordBytes} bytes: is the delimiter right?`);
    }
    if (records.length > 0) yield records;
  }
  if (begunBytes > 0) yield [begun.length === 1 ? begun[0] : Buffer.concat(begun)];
}
