/**
 * One connection of a client, plain or encrypted: a request, its answer, the next request.
 *
 *     waiting  -->  receiving  -->  answering  -->  waiting ...  -->  ended
 *     (for the first byte)  (the head)  (body, handler, answer, rest of the body)
 *
 * A client may close its sending side behind its request: that is the end of its requests, not of its wish for an
 * answer. Nothing is read while a request is being answered, but for its body, and but to notice that a client left
 * who waits for an answer that takes time.
 */
import type { Transport } from "../../transport/transport.ts";
import { Answer, AnswerHead } from "../answer.ts";
import { internalError } from "../errors.ts";
import { respondError } from "../respond.ts";
import { AnswerWriter, type Exchange } from "./answer_writer.ts";
import { BodySource } from "./body_source.ts";
import { type HttpRequest, IncomingRequest } from "./incoming_request.ts";
import { Input } from "./input.ts";
import { BadRequest, type RequestHead } from "./request_head.ts";

/** What answers a request. It never rejects; what it returns is sent, and a body that it left is dropped. */
export type Handler = (request: HttpRequest) => Answer | Response | Promise<Answer | Response>;

/** Who is at the other end. */
export interface Peer {
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly isTls: boolean;
}

type State = "waiting" | "receiving" | "answering" | "ended";

/** What is left of a body is taken in up to this, so that the client can use its connection again: 16 MiB. */
export const MAX_DISCARDED_BYTES = 16 << 20;
/** After a last answer the client's remaining bytes are dropped for this long, or a reset could overtake it. */
const LINGER_MS = 1000;
/** How long a client that awaits to be told to send its body, and got its answer instead, may take to begin. */
const UNTOLD_MS = 50;
const SERVER_OPTIONS = new Answer(new AnswerHead(200));

export class HttpConnection {
  readonly #transport: Transport;
  readonly #peer: Peer;
  readonly #handler: Handler;
  readonly #input: Input;
  readonly #writer: AnswerWriter;
  #state: State = "waiting";
  #isStopping = false;
  /** The last answer, while it is on its way. */
  #sending: Promise<void> | null = null;
  /** Since the client last sent or took something that it was waited for. */
  #silentMs = 0;
  /** Since the first byte of a request. */
  #arrivingMs = 0;

  constructor(transport: Transport, peer: Peer, handler: Handler) {
    this.#transport = transport;
    this.#peer = peer;
    this.#handler = handler;
    const progressed = () => this.#silentMs = 0;
    this.#input = new Input(transport, progressed);
    this.#writer = new AnswerWriter(transport, this.#input, progressed);
  }

  /** Serves until the connection ends; never rejects. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveOne());
      // In order, so that no answer can be taken for one that was cut off.
      await this.#transport.closeWrite();
    } catch {
      // Whatever it was, nobody is there to be told.
    } finally {
      this.end();
    }
  }

  /** Ends when what is being answered has been. */
  stop(): void {
    this.#isStopping = true;
    if (this.#state === "waiting" && !this.#writer.isWriting) this.end();
  }

  /** Ends at once. */
  end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#transport.close();
  }

  /**
   * Ends the connection when it has been waited for too long; to be called every `elapsedMs`.
   *
   * @param idleMs without a byte in either direction, though one is awaited from the client
   * @param requestMs from the first byte of a request to its last
   */
  expire(elapsedMs: number, idleMs: number, requestMs: number): void {
    const { isAwaited } = this.#input;
    this.#silentMs = isAwaited || this.#writer.isWriting ? this.#silentMs + elapsedMs : 0;
    if (isAwaited && this.#state !== "waiting") this.#arrivingMs += elapsedMs;
    if (this.#silentMs > idleMs || this.#arrivingMs > requestMs) this.end();
  }

  /** Resolves with whether another request may follow. */
  async #serveOne(): Promise<boolean> {
    let head: RequestHead | null;
    try {
      head = await this.#nextHead();
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      await this.#sending;
      await this.#refuse(error);
      return false;
    }
    await this.#sending;
    if (head === null) return false;
    this.#state = "answering";
    const exchange: Exchange = {
      isHead: head.method === "HEAD",
      isOld: head.isOld,
      isLast: head.isLast || this.#isStopping,
    };
    const goOn = head.awaitsContinue ? () => this.#writer.goOn() : null;
    const body = new BodySource(this.#input, head.bodyBytes, goOn);
    const answer = await this.#answerTo(head, body);
    if (this.#isStopping || body.leftBytes > MAX_DISCARDED_BYTES && head.bodyBytes >= 0) {
      exchange.isLast = true;
    }
    // Nobody can tell whether a client that was not told to go on sends its body all the same.
    if (body.isAwaited && !body.isSettled && this.#input.unreadBytes === 0) exchange.isLast = true;
    const sending = this.#writer.send(answer, exchange);
    if (body.isSettled && !exchange.isLast && !(answer.body instanceof ReadableStream)) {
      this.#sendOn(sending);
      return true;
    }
    await sending;
    const isDiscarded = await this.#discard(body);
    if (exchange.isLast) await this.#linger();
    if (exchange.isLast || !isDiscarded) return false;
    this.#state = "waiting";
    return true;
  }

  /** The next request is read meanwhile: that saves a turn of the event loop for each. */
  #sendOn(sending: Promise<void>): void {
    this.#state = "waiting";
    this.#sending = sending.then(() => {
      if (this.#isStopping && this.#state === "waiting") this.end();
    }, () => this.end());
  }

  /** Null when the client sends no more requests. */
  async #nextHead(): Promise<RequestHead | null> {
    this.#arrivingMs = 0;
    for (;;) {
      const head = this.#input.takeHead();
      if (head !== null) return head;
      if (this.#isStopping && this.#input.unreadBytes === 0) return null;
      this.#state = this.#input.unreadBytes > 0 ? "receiving" : "waiting";
      if (!await this.#input.fill()) {
        if (this.#input.unreadBytes === 0) return null;
        throw new BadRequest(400, "the head has no end");
      }
    }
  }

  async #answerTo(head: RequestHead, body: BodySource): Promise<Answer> {
    if (head.target === "*" && head.method === "OPTIONS") return SERVER_OPTIONS;
    const { remoteAddress, isTls } = this.#peer;
    try {
      const answer = await this.#handler(new IncomingRequest(head, body, remoteAddress, isTls));
      return answer instanceof Answer ? answer : Answer.of(answer);
    } catch {
      // Handlers answer their own faults; this is for a fault in what is around them.
      return respondError("v1", internalError());
    }
  }

  /** Takes in and drops what is left of a body, behind its answer; resolves with whether that was all of it. */
  async #discard(body: BodySource): Promise<boolean> {
    if (body.isSettled) return true;
    if (body.leftBytes > MAX_DISCARDED_BYTES && body.leftBytes < Infinity) return false;
    try {
      if (body.isAwaited && !await this.#isSent()) return false;
      return await body.discard(MAX_DISCARDED_BYTES);
    } catch {
      // What was left of the body is none, and the answer is out.
      return false;
    }
  }

  /** Whether a client that was not told to go on sends its body all the same. */
  async #isSent(): Promise<boolean> {
    if (this.#input.unreadBytes > 0) return true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), UNTOLD_MS));
    const byteCount = await Promise.race([this.#input.watch(), late]);
    clearTimeout(timer);
    return byteCount !== null && await this.#input.fill();
  }

  async #refuse({ status }: BadRequest): Promise<void> {
    const answer = new Answer(new AnswerHead(status));
    await this.#writer.send(answer, { isHead: false, isOld: false, isLast: true });
    await this.#linger();
  }

  /** Ends the sending side and drops what the client still sends, for a while. */
  async #linger(): Promise<void> {
    this.#state = "answering";
    await this.#transport.closeWrite();
    if (this.#input.isEnded) return;
    const timer = setTimeout(() => this.end(), LINGER_MS);
    try {
      while (await this.#input.fill()) this.#input.drop(Infinity);
    } finally {
      clearTimeout(timer);
    }
  }
}
