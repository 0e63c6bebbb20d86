/** An HTTP server that notes what it gets and answers as a test says. */

export interface Received {
  method: string;
  /** Path and query. */
  path: string;
  headers: Headers;
  body: string;
}

/** The status to answer, or a promise of it for one that is slow. */
export type Answer = (received: Received, count: number) => number | Promise<number>;

export class HttpTarget implements AsyncDisposable {
  readonly received: Received[] = [];
  /** Requests under way, and the most there were. */
  running = 0;
  mostRunning = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: Answer = () => 200, port = 0) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
      const url = new URL(request.url);
      this.running++;
      this.mostRunning = Math.max(this.mostRunning, this.running);
      const { method, headers } = request;
      const received = { method, headers, path: url.pathname + url.search, body: await request.text() };
      this.received.push(received);
      const status = await answer(received, this.received.length);
      this.running--;
      return new Response(null, { status, headers: status === 307 ? { location: "/moved" } : {} });
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get bodies(): string[] {
    return this.received.map(({ body }) => body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
