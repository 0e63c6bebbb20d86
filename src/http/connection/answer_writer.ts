/**
 * Puts answers on the wire: head and body in one write where they are short, in chunks what comes as a stream.
 *
 * Tested in test/http/connection/http_connection_test.ts.
 */
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import type { Transport } from "../../transport/transport.ts";
import { Answer } from "../answer.ts";
import type { Input } from "./input.ts";

/** What the answer depends on besides itself. */
export interface Exchange {
  readonly isHead: boolean;
  readonly isOld: boolean;
  /** The connection ends with it. */
  isLast: boolean;
}

/** A longer body is written by itself rather than copied behind its head. */
const MAX_JOINED_BYTES = 65_536;
/** Between the two probes that tell a client that left from one that only sends nothing more. */
const PROBE_INTERVAL_MS = 100;
const ENCODER = new TextEncoder();
const END_OF_CHUNKS = ENCODER.encode("0\r\n\r\n");
const PROBE = ENCODER.encode("0");
const NOTHING = new Uint8Array(0);
const NOT_YET = Symbol("not yet");

export class AnswerWriter {
  readonly #transport: Transport;
  readonly #input: Input;
  readonly #progressed: () => void;
  #isWriting = false;
  /** The write of a stream that is out, and those behind it: a probe may meet a chunk. */
  #inTurn: Promise<void> = Promise.resolve();

  /** @param progressed is called when the client took something */
  constructor(transport: Transport, input: Input, progressed: () => void) {
    this.#transport = transport;
    this.#input = input;
    this.#progressed = progressed;
  }

  /** The client is to take something before this goes on. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Tells a client that waits for it to send its body. */
  async goOn(): Promise<void> {
    await this.#write(ENCODER.encode("HTTP/1.1 100 Continue\r\n\r\n"));
  }

  /**
   * Resolves when all of `answer` is on its way. `exchange.isLast` may become true.
   *
   * @throws when the client is gone, or the body failed: the connection must end then
   */
  async send(answer: Answer, exchange: Exchange): Promise<void> {
    const { head: { status }, body } = answer;
    const isBodiless = exchange.isHead || status < 200 || status === 204 || status === 304;
    if (body instanceof ReadableStream) {
      if (isBodiless) {
        await body.cancel();
        return await this.#write(ENCODER.encode(headOf(answer, exchange, "")));
      }
      return await this.#sendStream(answer, body, exchange);
    }
    const bytes = typeof body === "string" ? null : body;
    const byteCount = bytes?.length ?? Buffer.byteLength(body as string);
    const hasLength = status >= 200 && status !== 204 && status !== 304;
    const head = headOf(answer, exchange, hasLength ? `Content-Length: ${byteCount}\r\n` : "");
    if (isBodiless || byteCount === 0) return await this.#write(ENCODER.encode(head));
    if (bytes === null) return await this.#write(ENCODER.encode(head + body));
    await this.#writeBoth(ENCODER.encode(head), bytes);
  }

  async #sendStream(answer: Answer, body: ReadableStream<Uint8Array>, exchange: Exchange): Promise<void> {
    const reader = body.getReader();
    try {
      const beginning = await beginningOf(reader);
      if (beginning.isWhole) {
        const whole = new Answer(answer.head, beginning.bytes);
        return await this.send(whole, exchange);
      }
      await this.#sendChunks(answer, beginning.bytes, beginning.next, reader, exchange);
    } catch (cause) {
      reader.cancel(cause).catch(() => {/* It failed already. */});
      throw cause;
    }
  }

  async #sendChunks(
    answer: Answer,
    first: Uint8Array,
    next: Promise<ReadableStreamReadResult<Uint8Array>>,
    reader: ReadableStreamDefaultReader<Uint8Array>,
    exchange: Exchange,
  ): Promise<void> {
    // Without chunks only the end of the connection tells the end of the body.
    if (exchange.isOld) exchange.isLast = true;
    const framing = exchange.isOld ? "" : "Transfer-Encoding: chunked\r\n";
    await this.#writeInTurn(ENCODER.encode(headOf(answer, exchange, framing)));
    if (first.length > 0) await this.#writeChunk(first, exchange);
    const left = this.#clientLeft(exchange);
    try {
      for (;;) {
        const { value, done } = await Promise.race([next, left.promise]);
        if (done) break;
        if (value.length > 0) await this.#writeChunk(value, exchange);
        next = reader.read();
      }
    } finally {
      next.catch(() => {/* Whoever ended this knows why. */});
      left.stop();
    }
    if (!exchange.isOld) await this.#writeInTurn(END_OF_CHUNKS);
  }

  /**
   * Watches the client while the next piece of a body is awaited, which may take long. The end of what it sends
   * may mean that it left, or just that it has no more to ask. A write tells, so a zero is written in front of the
   * size of the next chunk, where it means nothing; and another one a little later, for the system of a client
   * that left answers the first.
   */
  #clientLeft({ isOld }: Exchange): { promise: Promise<never>; stop(): void } {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {/* Not everybody waits for it. */});
    let timer: ReturnType<typeof setTimeout> | undefined, isStopped = false;
    const probe = (probesLeft: number) => {
      if (isStopped || isOld) return;
      this.#writeInTurn(PROBE).then(() => {
        if (probesLeft > 0) timer = setTimeout(() => probe(probesLeft - 1), PROBE_INTERVAL_MS);
      }, reject);
    };
    this.#input.watch().then((byteCount) => byteCount === null ? probe(1) : undefined, reject);
    return {
      promise,
      stop() {
        isStopped = true;
        clearTimeout(timer);
      },
    };
  }

  async #writeChunk(bytes: Uint8Array, { isOld }: Exchange): Promise<void> {
    if (isOld) return await this.#writeInTurn(bytes);
    const size = ENCODER.encode(`${bytes.length.toString(16)}\r\n`);
    if (bytes.length <= MAX_JOINED_BYTES) {
      const chunk = new Uint8Array(size.length + bytes.length + 2);
      chunk.set(size);
      chunk.set(bytes, size.length);
      chunk.set([13, 10], size.length + bytes.length);
      return await this.#writeInTurn(chunk);
    }
    await this.#writeInTurn(size);
    await this.#writeInTurn(bytes);
    await this.#writeInTurn(new Uint8Array([13, 10]));
  }

  async #writeBoth(head: Uint8Array, body: Uint8Array): Promise<void> {
    if (body.length > MAX_JOINED_BYTES) {
      await this.#write(head);
      return await this.#write(body);
    }
    const joined = new Uint8Array(head.length + body.length);
    joined.set(head);
    joined.set(body, head.length);
    await this.#write(joined);
  }

  #writeInTurn(bytes: Uint8Array): Promise<void> {
    return this.#inTurn = this.#inTurn.then(() => this.#write(bytes));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#isWriting = true;
    for (let at = 0; at < bytes.length;) {
      at += await this.#transport.write(at === 0 ? bytes : bytes.subarray(at));
      this.#progressed();
    }
    this.#isWriting = false;
  }
}

/** How a body that comes as a stream begins. */
interface Beginning {
  bytes: Uint8Array;
  /** There is no more of it than `bytes`. */
  isWhole: boolean;
  /** What comes behind `bytes`, where there is more. */
  next: Promise<ReadableStreamReadResult<Uint8Array>>;
}

/** Reads as much as is there, so that what comes in one piece goes with its length, and what takes time does not wait. */
async function beginningOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Beginning> {
  const first = reader.read();
  const begun = await Promise.race([first, soon()]);
  if (begun === NOT_YET) return { bytes: NOTHING, isWhole: false, next: first };
  if (begun.done) return { bytes: NOTHING, isWhole: true, next: first };
  const next = reader.read();
  const continued = await Promise.race([next, soon()]);
  return { bytes: begun.value, isWhole: continued !== NOT_YET && continued.done, next };
}

function soon(): Promise<typeof NOT_YET> {
  return new Promise((resolve) => setImmediate(() => resolve(NOT_YET)));
}

function headOf({ head }: Answer, { isOld, isLast }: Exchange, framing: string): string {
  const text = isOld ? head.text.replace("HTTP/1.1", "HTTP/1.0") : head.text;
  const connection = isLast ? "Connection: close\r\n" : isOld ? "Connection: keep-alive\r\n" : "";
  return `${text}Date: ${dateOf(Date.now())}\r\n${framing}${connection}\r\n`;
}

let dateSeconds = 0, dateText = "";

/** As `Date` has it; made anew each second. */
function dateOf(nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  if (seconds !== dateSeconds) {
    dateSeconds = seconds;
    dateText = new Date(nowMs).toUTCString();
  }
  return dateText;
}
