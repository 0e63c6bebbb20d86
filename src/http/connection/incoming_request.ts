/**
 * A request as handlers see it. It has the members of the web's `Request` that they use, and makes none of what
 * nobody asks for: a `Request` costs more than all the rest of answering a publish.
 *
 * Tested in test/http/connection/http_connection_test.ts.
 */
import type { BodySource } from "./body_source.ts";
import type { RequestHead, RequestHeaders } from "./request_head.ts";

/** Methods whose requests have no body for their handler, whatever their headers say. */
const WITHOUT_BODY = new Set(["GET", "HEAD"]);

/** What handlers see of a request. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: { get(name: string): string | null };
  /** `ip:port` of the client, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly isTls: boolean;
  /** The body as it comes; null without one. Nothing is taken in before it is asked for. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /**
   * Resolves with the whole body, which is to have a declared length that the caller looked at.
   *
   * @throws {Error} when the client goes away
   */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** The web's form of it, which has the body from then on. */
  standard(): Request;
}

export class IncomingRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress: string;
  readonly isTls: boolean;
  readonly #source: BodySource;
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;

  constructor(head: RequestHead, source: BodySource, remoteAddress: string, isTls: boolean) {
    this.method = head.method;
    this.target = head.target;
    this.headers = head.headers;
    this.remoteAddress = remoteAddress;
    this.isTls = isTls;
    this.#source = source;
  }

  /** As a browser would show it; with `localhost` where the client named no host that could stand there. */
  get url(): string {
    const host = this.headers.get("host") ?? "";
    const origin = `${this.isTls ? "https" : "http"}://${host}`;
    return (URL.canParse(origin) && !/[/?#@]/.test(host) ? origin : "http://localhost") + this.target;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#body !== null) return this.#body;
    if (this.#source.isSettled || WITHOUT_BODY.has(this.method)) return null;
    const source = this.#source;
    return this.#body = new ReadableStream({
      async pull(controller) {
        const piece = await source.read();
        if (piece !== null) return controller.enqueue(piece);
        controller.close();
      },
    }, { highWaterMark: 0 });
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return WITHOUT_BODY.has(this.method) ? new Uint8Array(0) : await this.#source.readAll();
  }

  standard(): Request {
    const { method, url, body } = this;
    const headers = new Headers();
    for (const [name, value] of this.headers) headers.append(name, value);
    return new Request(url, { method, headers, ...(body === null ? {} : { body, duplex: "half" }) });
  }
}
