/**
 * The other side breaks the framing, so nothing that follows on its connection can be trusted.
 *
 * Tested in test/protocol/frame_reader_test.ts.
 */

/** What a server sent is no frame of the protocol. */
export class ProtocolFault extends Error {
  override name = "ProtocolFault";
}
