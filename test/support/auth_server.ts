/** An auth server for tests: real HTTP or HTTPS on loopback, with replies that the test sets. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface AuthRequest {
  method: string;
  /** Path and query as they came. */
  target: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface AuthReply {
  status?: number;
  body: string;
}

export interface AuthServerTls {
  /** PEM. */
  key: string;
  cert: string;
  maxVersion?: "TLSv1.2" | "TLSv1.3";
}

/** A reply that allows everything for `ttl` seconds. */
export function allowAll(ttl = 3600): AuthReply {
  return reply({
    ttl,
    authorizations: [{ topic: ".*", channels: [".*"], permissions: ["publish", "subscribe"] }],
  });
}

export function reply(body: unknown): AuthReply {
  return { body: JSON.stringify({ identity: "bob", identity_url: "http://x", ...body as object }) };
}

export class AuthServer implements AsyncDisposable {
  readonly requests: AuthRequest[] = [];
  /** What every request is answered; a promise lets it wait. */
  answer: (request: AuthRequest) => AuthReply | Promise<AuthReply>;
  readonly #server: ReturnType<typeof createHttpServer>;
  /** Requests whose client has gone before it was answered. */
  abandoned = 0;

  private constructor(answer: AuthServer["answer"], tls: AuthServerTls | null) {
    this.answer = answer;
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response);
    this.#server = tls === null ? createHttpServer(handle) : createHttpsServer(tls, handle);
  }

  static async start(
    answer: AuthReply | AuthServer["answer"],
    tls: AuthServerTls | null = null,
  ): Promise<AuthServer> {
    const server = new AuthServer(typeof answer === "function" ? answer : () => answer, tls);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", () => resolve()));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As the option takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "", answered = false;
    response.on("close", () => this.abandoned += answered ? 0 : 1);
    for await (const chunk of request) body += new TextDecoder().decode(chunk);
    const seen = { method: request.method!, target: request.url!, headers: request.headers, body };
    this.requests.push(seen);
    const { status = 200, body: text } = await this.answer(seen);
    answered = true;
    response.writeHead(status, { connection: "close" });
    response.end(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
