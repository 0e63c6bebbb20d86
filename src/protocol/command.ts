/**
 * The commands of the protocol V2: their words, and what a reader tells of each.
 *
 * Tested in test/protocol/command_reader_test.ts.
 */
import type { Buffer } from "../buffers/buffer_pool.ts";

/** Commands that a body follows are the first five. */
export type BodyCommandName = "PUB" | "MPUB" | "DPUB" | "IDENTIFY" | "AUTH";
export type LineCommandName = "SUB" | "RDY" | "FIN" | "REQ" | "TOUCH" | "CLS" | "NOP";
export type CommandName = BodyCommandName | LineCommandName;

/** Parameters of the current command; valid during the call only. */
export interface Parameters {
  readonly count: number;
  /** A view of parameter `i`, counted from 0; empty when there is none. */
  bytes(i: number): Uint8Array;
  /** Calls for parameters without a view: the buffer and the bounds. */
  readonly buffer: Uint8Array;
  from(i: number): number;
  to(i: number): number;
}

/** What the reader tells. Every method may throw a `ClientError`, which leaves `run()`. */
export interface CommandHandler {
  /** FIN of message `seq`, whose id has the right form. */
  finish(seq: number): void;
  /** A command without a body. */
  command(name: LineCommandName, parameters: Parameters): void;
  /** The line of a command with a body is complete: state, parameters and permissions are checked now. */
  begin(name: BodyCommandName, parameters: Parameters): void;
  /** PUB or DPUB with its body. */
  publish(source: Buffer, bodyStart: number, bodyBytes: number): void;
  /** MPUB: `count` sizes and bodies from `at`, all checked. */
  publishMany(source: Buffer, at: number, count: number): void;
  /** IDENTIFY or AUTH with its body, which must be copied to be kept. */
  body(name: "IDENTIFY" | "AUTH", body: Uint8Array): void;
  /** An unknown command: throws. */
  unknown(word: Uint8Array): never;
}

export interface ReaderLimits {
  /** Bytes of one message body. */
  maxMsgSize: number;
  /** Bytes of the body of IDENTIFY, AUTH or MPUB. */
  maxBodySize: number;
}

const COMMANDS: readonly CommandName[] = [
  "FIN",
  "RDY",
  "PUB",
  "NOP",
  "MPUB",
  "REQ",
  "DPUB",
  "TOUCH",
  "SUB",
  "CLS",
  "IDENTIFY",
  "AUTH",
];
const COMMAND_BYTES = COMMANDS.map((name) => new TextEncoder().encode(name));

/** The command whose word is `bytes[start, end)`; undefined when there is none. */
export function commandName(bytes: Uint8Array, start: number, end: number): CommandName | undefined {
  const length = end - start;
  next: for (let i = 0; i < COMMAND_BYTES.length; i++) {
    const name = COMMAND_BYTES[i];
    if (name.length !== length) continue;
    for (let j = 0; j < length; j++) if (bytes[start + j] !== name[j]) continue next;
    return COMMANDS[i];
  }
  return undefined;
}
