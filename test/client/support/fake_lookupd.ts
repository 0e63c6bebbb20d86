/** A lookupd under a test's control. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class FakeLookupd implements AsyncDisposable {
  readonly requests: { url: string; authorization: string | undefined }[] = [];
  status = 200;
  /** What is answered; null for no answer at all. */
  answer: () => unknown;
  readonly #server: Server;

  private constructor(answer: () => unknown) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      this.requests.push({ url: request.url!, authorization: request.headers.authorization });
      const body = this.answer();
      if (body === null) return;
      response.writeHead(this.status, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(body));
    });
  }

  static async start(answer: () => unknown): Promise<FakeLookupd> {
    const lookupd = new FakeLookupd(answer);
    await new Promise<void>((resolve) => lookupd.#server.listen(0, "127.0.0.1", resolve));
    return lookupd;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
