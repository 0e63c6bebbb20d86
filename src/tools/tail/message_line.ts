/** A message as `nsq tail` shows it: its body on a line, or all that is known of it as JSON. */
import { Buffer } from "node:buffer";
import pc from "picocolors";
import type { Message } from "../../client/mod.ts";

const NEWLINE = 10;
const NS_PER_MS = 1_000_000n;

/** What is shown of a message. */
export type ShownMessage = Pick<Message, "id" | "timestampNs" | "attempts" | "nodeAddress" | "body">;

/** The body as it is, and a newline; `topic` and ` | ` before it, unless it is null. */
export function formatPlainMessage(
  topic: string | null,
  body: Uint8Array,
  isTopicColoured: boolean,
): Uint8Array {
  const lead = topic === null ? "" : `${pc.createColors(isTopicColoured).cyan(topic)} | `;
  const leadBytes = Buffer.byteLength(lead);
  const line = Buffer.allocUnsafe(leadBytes + body.length + 1);
  line.write(lead);
  line.set(body, leadBytes);
  line[line.length - 1] = NEWLINE;
  return line;
}

/**
 * One line: `topic`, `id`, `time` (RFC 3339, UTC), `timestamp` (ns since the Unix epoch), `attempts`, `nsqd`, and `body`, or
 * `body_base64` when the body is no UTF-8.
 */
export function formatJson(topic: string, message: ShownMessage): string {
  const { timestampNs } = message;
  const seconds = new Date(Number(timestampNs / NS_PER_MS)).toISOString().slice(0, -".000Z".length);
  const fraction = String(timestampNs % 1_000_000_000n).padStart(9, "0");
  const members = [
    `"topic":${JSON.stringify(topic)}`,
    `"id":${JSON.stringify(message.id)}`,
    `"time":"${seconds}.${fraction}Z"`,
    // As digits: it has more of them than a double.
    `"timestamp":${timestampNs}`,
    `"attempts":${message.attempts}`,
    `"nsqd":${JSON.stringify(message.nodeAddress)}`,
    bodyMember(message.body),
  ];
  return `{${members.join(",")}}\n`;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function bodyMember(body: Uint8Array): string {
  try {
    return `"body":${JSON.stringify(decoder.decode(body))}`;
  } catch {
    return `"body_base64":"${Buffer.from(body).toString("base64")}"`;
  }
}
