/**
 * Requests of V1 as a client sends them: the magic, lines `WORD param param`, and behind IDENTIFY a body with its
 * size, an int32, in front.
 */

/** The first bytes of a connection. */
export const MAGIC_V1 = "  V1";

/** Encodes IDENTIFY with its JSON. */
export function encodeIdentify(json: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const line = encoder.encode("IDENTIFY\n"), body = encoder.encode(json);
  const bytes = new Uint8Array(line.length + 4 + body.length);
  bytes.set(line);
  new DataView(bytes.buffer).setInt32(line.length, body.length);
  bytes.set(body, line.length + 4);
  return bytes;
}

/** Encodes commands, each a line without its end, for one write. */
export function encodeLines(commands: readonly string[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(commands.join("\n") + "\n");
}
