/**
 * One connection of a load generator: publishes one prepared command over and over, or consumes and FINs.
 *
 * It is made to cost little, because it runs on the machine that it measures: frames are looked at in the
 * buffer they were read into, everything that one read brought is answered by one write, and no object is
 * made per message.
 */
import {
  ATTEMPTS_OFFSET,
  FRAME_TYPE_ERROR,
  FRAME_TYPE_MESSAGE,
  FRAME_TYPE_RESPONSE,
  ID_LENGTH,
  ID_OFFSET,
  RECORD_OVERHEAD,
} from "../../src/protocol/message.ts";

import type { Transport } from "../../src/transport/transport.ts";
import { openStream, type StreamName } from "./stream.ts";

const READ_BYTES = 256 * 1024;
const FIN_BYTES = 4 + ID_LENGTH + 1;
/** Every frame that is read is answered by one FIN or NOP at most, and is larger than that. */
const ANSWER_BYTES = READ_BYTES;
const HEARTBEAT_BYTES = 11;
const RDY_COUNT = 2500;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOP = encoder.encode("NOP\n");

/** What every client sends first, and the server answers with one OK. */
export const GREETING: Uint8Array<ArrayBuffer> = buildGreeting();

function buildGreeting(): Uint8Array<ArrayBuffer> {
  const body = encoder.encode(JSON.stringify({ client_id: "bench", heartbeat_interval: 60_000 }));
  const line = encoder.encode("  V2IDENTIFY\n");
  const greeting = new Uint8Array(line.length + 4 + body.length);
  greeting.set(line);
  new DataView(greeting.buffer).setUint32(line.length, body.length);
  greeting.set(body, line.length + 4);
  return greeting;
}

/** A PUB of one body or an MPUB of several, ready to be sent. */
export interface PublishCommand {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly messageCount: number;
  /** Where the first body begins. */
  readonly bodyAt: number;
}

/** Makes the command that publishes `messageCount` bodies of `bodyBytes` to `topic`: PUB for one, else MPUB. */
export function publishCommand(topic: string, messageCount: number, bodyBytes: number): PublishCommand {
  const isSingle = messageCount === 1;
  const line = encoder.encode(`${isSingle ? "PUB" : "MPUB"} ${topic}\n`);
  const sizesAt = line.length + (isSingle ? 0 : 8);
  const bytes = new Uint8Array(sizesAt + messageCount * (4 + bodyBytes)).fill(0x78);
  const view = new DataView(bytes.buffer);
  bytes.set(line);
  if (!isSingle) {
    view.setUint32(line.length, bytes.length - line.length - 4);
    view.setUint32(line.length + 4, messageCount);
  }
  for (let at = sizesAt; at < bytes.length; at += 4 + bodyBytes) view.setUint32(at, bodyBytes);
  return { bytes, messageCount, bodyAt: sizesAt + 4 };
}

/** As `publishCommand()`, with bodies of text that differ from each other, as those of applications do. */
export function publishTexts(topic: string, messageCount: number, bodyBytes: number): PublishCommand {
  const command = publishCommand(topic, messageCount, bodyBytes);
  for (let i = 0; i < messageCount; i++) {
    const record = {
      id: i * 7919,
      type: ["order.created", "order.paid", "order.shipped"][i % 3],
      at: new Date(1.7e12 + i * 997_331).toISOString(),
      customer: `customer-${i * 104_729 % 99_991}`,
      total: (i * 12_345 % 100_000) / 100,
      note: (Math.sin(i) * 1e16).toString(36),
    };
    const text = encoder.encode(JSON.stringify(record).padEnd(bodyBytes, "abcdefghij"));
    command.bytes.set(text.subarray(0, bodyBytes), command.bodyAt + i * (4 + bodyBytes));
  }
  return command;
}

/** What several consuming connections received together. */
export class Tally {
  received = 0;
  /** Of those, how many came with attempts above 1. */
  redelivered = 0;
  /** When the last one came, monotonic ms. */
  lastMs = 0;
  /** From stamp to arrival, ms; only for messages that `LoadClient.send` stamped, and only when set. */
  latenciesMs: number[] | null = null;
}

export class LoadClient {
  /** OKs received since the greeting. */
  okCount = 0;

  readonly #conn: Transport;
  readonly #tally: Tally;
  readonly #input = new Uint8Array(READ_BYTES);
  readonly #view = new DataView(this.#input.buffer);
  readonly #answers = new Uint8Array(ANSWER_BYTES);
  /** Bytes read of a frame that is not complete. */
  #end = 0;
  #answerBytes = 0;
  #closed = false;

  private constructor(conn: Transport, tally: Tally) {
    this.#conn = conn;
    this.#tally = tally;
  }

  /** Connects to `port` of this machine and identifies; what it will receive counts in `tally`. */
  static async connect(port: number, tally: Tally = new Tally()): Promise<LoadClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const client = new LoadClient(conn, tally);
    await client.#request(GREETING);
    client.okCount = 0;
    return client;
  }

  /** As `connect()`, on a stream that may be encrypted or compressed. */
  static async connectOn(stream: StreamName, port: number, tally: Tally = new Tally()): Promise<LoadClient> {
    return new LoadClient(await openStream(port, stream), tally);
  }

  /** Subscribes and gets ready; resolves once the subscription is answered. */
  async subscribe(topic: string, channel: string, rdyCount = RDY_COUNT): Promise<void> {
    await this.#request(encoder.encode(`SUB ${topic} ${channel}\n`));
    await this.#write(encoder.encode(`RDY ${rdyCount}\n`));
  }

  /** Publishes and resolves once that was answered OK. */
  async publish(command: PublishCommand): Promise<void> {
    await this.#request(command.bytes);
  }

  /** Publishes one message with the time in its first 8 bytes, without waiting for the answer. */
  async send(command: PublishCommand): Promise<void> {
    new DataView(command.bytes.buffer).setFloat64(command.bodyAt, performance.now());
    await this.#write(command.bytes);
  }

  /** Receives and answers until `close()`. @throws when the server answers an error or goes away */
  async keepReading(): Promise<void> {
    try {
      for (;;) await this.#read();
    } catch (cause) {
      if (!this.#closed) throw cause;
    }
  }

  close(): void {
    this.#closed = true;
    this.#conn.close();
  }

  async #request(bytes: Uint8Array): Promise<void> {
    const wanted = this.okCount + 1;
    await this.#write(bytes);
    while (this.okCount < wanted) await this.#read();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(at === 0 ? bytes : bytes.subarray(at));
    }
  }

  /** Reads once, takes all frames that are complete, and answers them in one write. */
  async #read(): Promise<void> {
    const byteCount = await this.#conn.read(this.#end === 0 ? this.#input : this.#input.subarray(this.#end));
    if (byteCount === null) throw new Error("Cannot read: the server closed the connection");
    this.#end += byteCount;
    this.#takeFrames();
    if (this.#answerBytes === 0) return;
    const answers = this.#answers.subarray(0, this.#answerBytes);
    this.#answerBytes = 0;
    await this.#write(answers);
  }

  #takeFrames(): void {
    const view = this.#view, end = this.#end;
    const receivedBefore = this.#tally.received;
    let at = 0;
    while (end - at >= 4) {
      const frameBytes = 4 + view.getInt32(at);
      if (frameBytes > READ_BYTES) {
        throw new Error(`Cannot take a frame of ${frameBytes} bytes, max is ${READ_BYTES}`);
      }
      if (end - at < frameBytes) break;
      this.#takeFrame(at, frameBytes);
      at += frameBytes;
    }
    if (this.#tally.received > receivedBefore) this.#tally.lastMs = performance.now();
    if (at < end) this.#input.copyWithin(0, at, end);
    this.#end = end - at;
  }

  #takeFrame(at: number, frameBytes: number): void {
    switch (this.#view.getInt32(at + 4)) {
      case FRAME_TYPE_MESSAGE:
        return this.#takeMessage(at);
      case FRAME_TYPE_RESPONSE:
        if (frameBytes === 8 + HEARTBEAT_BYTES) return this.#answerHeartbeat();
        this.okCount++;
        return;
      case FRAME_TYPE_ERROR:
        throw new Error(
          `The server answered ${decoder.decode(this.#input.subarray(at + 8, at + frameBytes))}`,
        );
      default:
        throw new Error(`Cannot take a frame of type ${this.#view.getInt32(at + 4)}`);
    }
  }

  #takeMessage(at: number): void {
    const input = this.#input, answers = this.#answers, tally = this.#tally;
    let to = this.#answerBytes;
    answers[to++] = 0x46;
    answers[to++] = 0x49;
    answers[to++] = 0x4e;
    answers[to++] = 0x20;
    const id = at + ID_OFFSET;
    for (let i = 0; i < ID_LENGTH; i++) answers[to++] = input[id + i];
    answers[to++] = 0x0a;
    this.#answerBytes += FIN_BYTES;
    tally.received++;
    if (this.#view.getUint16(at + ATTEMPTS_OFFSET) !== 1) tally.redelivered++;
    if (tally.latenciesMs !== null) {
      tally.latenciesMs.push(performance.now() - this.#view.getFloat64(at + RECORD_OVERHEAD));
    }
  }

  #answerHeartbeat(): void {
    this.#answers.set(NOP, this.#answerBytes);
    this.#answerBytes += NOP.length;
  }
}
