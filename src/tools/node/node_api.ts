/** Asks one nsqd over HTTP, in JSON. Tested in test/cli/node_commands_test.ts. */
import { HttpClient } from "../../http/client/http_client.ts";
import { urlOf } from "../../http/client/url.ts";

/** The node refused, or did not answer; the message is for people. */
export class NodeError extends Error {
  override name = "NodeError";
}

export class NodeApi {
  readonly #client: HttpClient;
  readonly #address: string;
  readonly #headers: Record<string, string>;

  /** @param authSecret goes with each request; empty for none */
  constructor(address: string, timeoutMs: number, authSecret = "") {
    this.#address = address;
    this.#headers = authSecret === "" ? {} : { authorization: `Bearer ${authSecret}` };
    this.#client = new HttpClient({
      connectTimeoutMs: timeoutMs,
      requestTimeoutMs: timeoutMs,
      maxReplyBytes: 64 << 20,
    });
  }

  /**
   * Sends a request and resolves with the JSON of the answer.
   *
   * @throws {NodeError} when the node refuses, or does not answer
   */
  async call(method: string, path: string, query: Record<string, string>, body?: unknown): Promise<unknown> {
    const target = `${path}?${new URLSearchParams(query)}`;
    let reply;
    try {
      reply = await this.#client.request(urlOf(this.#address, target), {
        method,
        headers: this.#headers,
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (cause) {
      throw new NodeError(`${this.#address} does not answer - ${(cause as Error).message}`, { cause });
    }
    const text = new TextDecoder().decode(reply.body);
    if (reply.status === 200) return text === "" ? null : JSON.parse(text);
    throw new NodeError(`${this.#address} refuses: ${messageOf(text)}`);
  }
}

function messageOf(text: string): string {
  try {
    return JSON.parse(text).message ?? text;
  } catch {
    return text; // An answer of some other server.
  }
}
