/**
 * The bridge between handlers of the web's `Request` and `Response`, such as an app of Hono, and those of `serve()`.
 *
 * Tested in test/admin/http/app_test.ts.
 */
import { createApp, type Route } from "./router.ts";
import type { Logger } from "../log/logger.ts";
import type { Answer } from "./answer.ts";
import type { Handler } from "./connection/http_connection.ts";
import type { HttpRequest } from "./connection/incoming_request.ts";
import { remoteAddressOf } from "../net/address.ts";
import { targetOf } from "./request_target.ts";

/** What a web handler may know of the client. */
export interface WebInfo {
  readonly remoteAddr: Deno.Addr;
}

export type WebHandler = (request: Request, info: WebInfo) => Response | Promise<Response>;

/** Has a web handler answer what comes to `serve()`. */
export function webHandler(handler: WebHandler): Handler {
  return (request) => handler(request.standard(), { remoteAddr: addressOf(request.remoteAddress) });
}

/** `createApp()` for a web handler to pass requests on to; the routes find the request itself as `standard()`. */
export function createWebApp(routes: readonly Route[], options: { readonly logger: Logger }): WebHandler {
  const app = createApp(routes, options);
  return async (request, info) => responseOf(await app(new WebRequest(request, info)));
}

/** The answer in the form of the web. */
export function responseOf(answer: Answer | Response): Response {
  if (answer instanceof Response) return answer;
  const { head: { status, headers }, body } = answer;
  const isEmpty = body === "" || status === 204 || status === 304;
  return new Response(isEmpty ? null : body as BodyInit, { status, headers: headers as [string, string][] });
}

/** A request of the web as handlers of `serve()` see theirs. */
class WebRequest implements HttpRequest {
  readonly target: string;
  readonly remoteAddress: string;
  readonly #request: Request;

  constructor(request: Request, info: WebInfo) {
    this.#request = request;
    this.target = targetOf(request.url);
    this.remoteAddress = remoteAddressOf(info.remoteAddr);
  }

  get isTls(): boolean {
    return this.#request.url.startsWith("https:");
  }

  get method(): string {
    return this.#request.method;
  }

  get headers(): Headers {
    return this.#request.headers;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#request.body;
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#request.bytes();
  }

  standard(): Request {
    return this.#request;
  }
}

function addressOf(remoteAddress: string): Deno.Addr {
  const colon = remoteAddress.lastIndexOf(":");
  if (colon < 0) return { transport: "unix", path: "" };
  const hostname = remoteAddress.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { transport: "tcp", hostname, port: Number(remoteAddress.slice(colon + 1)) };
}
