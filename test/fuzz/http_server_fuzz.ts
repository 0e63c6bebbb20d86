/** Requests over raw sockets to the HTTP API of a real nsqd: many on one connection, some spoilt, some cut off. */
import assert from "node:assert/strict";
import type { Random } from "../support/random.ts";
import { latin1, mutate, pieceSizes, textOf } from "./bytes.ts";
import { type HttpAnswer, readAnswer } from "./http_answer.ts";
import { anyRequest, CODES, type HttpRequest, MAX_BODY_SIZE, MAX_MSG_SIZE } from "./http_requests.ts";
import { ServedNsqd, ServedSession } from "./served_nsqd.ts";
import { count, excerpt, type Tally, type Target } from "./target.ts";

const FLAGS = [`--max-msg-size=${MAX_MSG_SIZE}`, `--max-body-size=${MAX_BODY_SIZE}`];
const MAX_REQUESTS = 30;
const MAX_PIECES = 60;
const LIMIT_MS = 20_000;
/** What is answered to requests that are no HTTP, or none of this server's, before the API sees them. */
const PROTOCOL_ERRORS = new Set([400, 408, 411, 413, 414, 417, 431, 501, 505]);

/** Checks what holds for every answer, whatever was asked. */
function checkForm(answer: HttpAnswer, sent: string): void {
  const { status, body } = answer;
  const described = `${status} ${excerpt(body)} to ${excerpt(sent, 3000)}`;
  if (status < 400) return assert.ok([100, 200, 301, 307].includes(status), described);
  const json = /^{"message":"(\w+)"}$/.exec(body);
  if (body === "" && sent.startsWith("HEAD ")) return;
  if (json === null) return assert.ok(body === "" && PROTOCOL_ERRORS.has(status), described);
  assert.ok(status < 500 && CODES.has(json[1]), described);
}

/** Checks the answer to a sound request. */
function checkExpected(answer: HttpAnswer, request: HttpRequest): void {
  const code = /^{"message":"(\w+)"}$/.exec(answer.body)?.[1];
  const outcome = code === undefined ? `${answer.status}` : `${answer.status} ${code}`;
  if (!request.allowed.includes(outcome)) {
    assert.fail(
      `answered ${outcome}, not ${request.allowed.join(" or ")}, to ${excerpt(request.text, 3000)}`,
    );
  }
}

async function converse(server: ServedNsqd, random: Random, tally: Tally): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.httpPort });
  try {
    await new Conversation(conn, random).run(tally);
  } finally {
    conn.close();
    count(tally, "connections", 1);
  }
}

/** One connection: sound requests, then perhaps a spoilt one. */
class Conversation {
  readonly #conn: Deno.Conn;
  readonly #random: Random;
  readonly #buffer = new Uint8Array(65_536);
  #received = "";
  #at = 0;

  constructor(conn: Deno.Conn, random: Random) {
    this.#conn = conn;
    this.#random = random;
  }

  async run(tally: Tally): Promise<void> {
    const random = this.#random, requests: HttpRequest[] = [];
    for (let left = 1 + random.int(MAX_REQUESTS); left > 0; left--) {
      const request = anyRequest(random);
      requests.push(request);
      if (request.isLast) break;
    }
    const isEnded = requests[requests.length - 1].isLast;
    let spoilt = "";
    if (!isEnded && random.chance(0.7)) {
      spoilt = anyRequest(random).text;
      for (let left = 1 + random.int(3); left > 0; left--) spoilt = mutate(random, spoilt);
      count(tally, "spoilt", 1);
    }
    count(tally, "requests", requests.length + (spoilt === "" ? 0 : 1));
    const sending = this.#send(requests.map(({ text }) => text).join("") + spoilt);
    for (const request of requests) {
      const answer = await this.#answer(request.method === "HEAD", request.text);
      checkForm(answer, request.text);
      checkExpected(answer, request);
    }
    await sending;
    if (spoilt !== "" || isEnded) await this.#toEnd(spoilt, isEnded);
  }

  async #toEnd(spoilt: string, isEnded: boolean): Promise<void> {
    // Some go away in the middle of a request; others tell that nothing more comes.
    if (!isEnded && this.#random.chance(0.3)) return;
    if (!isEnded && !await this.#closeWrite()) return;
    while (await this.#read()) { /* to the end */ }
    while (this.#at < this.#received.length) {
      const isToHead = spoilt.startsWith("HEAD");
      const answer = readAnswer(this.#received, this.#at, isToHead);
      if (answer === undefined) assert.fail(`an answer is cut after ${excerpt(spoilt, 3000)}`);
      // A body that ends too early is answered so, as the original does.
      const isCutBody = answer.status === 500 && answer.body === '{"message":"INTERNAL_ERROR"}';
      if (!isCutBody) checkForm(answer, spoilt);
      this.#at = answer.end;
    }
    if (isEnded) assert.equal(spoilt, "", "nothing follows the last request");
  }

  async #closeWrite(): Promise<boolean> {
    try {
      await this.#conn.closeWrite();
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  async #send(text: string): Promise<void> {
    const bytes = latin1(text), nextSize = pieceSizes(this.#random);
    let pieces = 0;
    try {
      for (let at = 0; at < bytes.length;) {
        const size = ++pieces > MAX_PIECES ? bytes.length : nextSize();
        at += await this.#conn.write(bytes.subarray(at, at + size));
      }
    } catch (error) {
      // The server may have closed after a spoilt request.
      if (!isGone(error)) throw error;
    }
  }

  async #answer(isToHead: boolean, sent: string): Promise<HttpAnswer> {
    for (;;) {
      const answer = readAnswer(this.#received, this.#at, isToHead);
      if (answer !== undefined) {
        this.#at = answer.end;
        if (this.#at > 100_000) {
          this.#received = this.#received.slice(this.#at);
          this.#at = 0;
        }
        if (answer.status !== 100) return answer;
      } else if (!await this.#read()) {
        assert.fail(`closed before the answer to ${excerpt(sent, 3000)}`);
      }
    }
  }

  async #read(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      const count = await Promise.race([this.#conn.read(this.#buffer), late]);
      if (count === null) return false;
      this.#received += textOf(this.#buffer.subarray(0, count));
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected;
}

export const httpServer: Target = {
  name: "http_server",
  summary: "nsqd behind its HTTP socket, beside a model of its answers",
  batchRounds: 10_000,
  shortRounds: 5_000,
  open: async () => new ServedSession(await ServedNsqd.start(FLAGS), "requests", converse),
};
