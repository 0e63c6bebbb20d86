/**
 * What a client of V1 did wrong, in the words that it is told. Every error of V1 ends the connection.
 *
 * Tested in test/protocol/lookup/v1_reader_test.ts and in test/lookupd/commands_test.ts.
 */
import type { ByteText } from "../quote.ts";

/** Longest body of IDENTIFY, bytes. An nsqd sends about 200. */
export const MAX_IDENTIFY_BYTES = 64 * 1024;

/** `text` is sent, and then the connection is closed. */
export class LookupProtocolError extends Error {
  override name = "LookupProtocolError";
  readonly text: ByteText;

  constructor(text: ByteText, options?: ErrorOptions) {
    super(text, options);
    this.text = text;
  }
}

/**
 * Says whether a body of this size can follow IDENTIFY; `bodyBytes` is a signed 32-bit integer.
 *
 * @throws {LookupProtocolError} E_BAD_BODY when it is negative or too long
 */
export function checkIdentifySize(bodyBytes: number): void {
  if (bodyBytes < 0) {
    throw new LookupProtocolError(`E_BAD_BODY IDENTIFY invalid body size ${bodyBytes}`);
  }
  if (bodyBytes > MAX_IDENTIFY_BYTES) {
    throw new LookupProtocolError(`E_BAD_BODY IDENTIFY body too big ${bodyBytes} > ${MAX_IDENTIFY_BYTES}`);
  }
}

/** The connection ended before the size or inside the body. */
export function unreadableIdentify(part: "body size" | "body"): LookupProtocolError {
  return new LookupProtocolError(`E_BAD_BODY IDENTIFY failed to read ${part}`);
}
