/**
 * Asks one lookupd or nsqd over its HTTP API, and words what goes wrong as NSQ's tools do.
 *
 * Nodes of every age are understood: the answers of old ones are wrapped in `data`, and one that serves its API
 * only with TLS says on which port. Tested in test/cluster/upstream_test.ts.
 */
import { HttpRequestError } from "../http/client/errors.ts";
import type { HttpReply, HttpRequest } from "../http/client/http_client.ts";
import { urlOf } from "../http/client/url.ts";
import type { Logger } from "../log/logger.ts";

/** The part of `HttpClient` that is needed here. */
export interface HttpRequester {
  /** @throws {HttpRequestError} when no reply came */
  request(url: string, request: HttpRequest): Promise<HttpReply>;
}

/** Of whom something is asked, as it stands in errors and in the log. */
export type UpstreamKind = "nsqlookupd" | "nsqd";

/** One of several did not answer, or refused; the message is what NSQ's tools show. */
export class UpstreamError extends Error {
  override name = "UpstreamError";
  /** Of the answer; null when there was none. */
  readonly status: number | null;
  /** Whether no connection came about, so that the request certainly did nothing. */
  readonly isUnreached: boolean;
  /** What it answered, as text; "" when there was no answer. */
  readonly answer: string;

  constructor(message: string, status: number | null, options?: ErrorOptions & { answer?: string }) {
    super(message, options);
    this.status = status;
    this.answer = options?.answer ?? "";
    this.isUnreached = options?.cause instanceof HttpRequestError && options.cause.kind === "connect";
  }
}

type Method = "GET" | "POST" | "DELETE";

const ACCEPT = "application/vnd.nsq; version=1.0";
const UTF8 = new TextDecoder();

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Request Entity Too Large",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** Sends requests to the HTTP APIs of nodes. */
export class Upstream {
  readonly #http: HttpRequester;
  readonly #logger: Logger | null;
  readonly #authSecret: string;

  /**
   * @param logger is told each request, at level INFO; null for none
   * @param authSecret goes to nsqds with each request; empty for none
   */
  constructor(http: HttpRequester, logger: Logger | null, authSecret = "") {
    this.#http = http;
    this.#logger = logger;
    this.#authSecret = authSecret;
  }

  /** The same, without a line in the log for each request. */
  silently(): Upstream {
    return new Upstream(this.#http, null, this.#authSecret);
  }

  /**
   * Resolves with the JSON of the answer, unwrapped where the node is an old one.
   *
   * @param address `host:port`
   * @param path with its query
   * @throws {UpstreamError}
   */
  async get(kind: UpstreamKind, address: string, path: string): Promise<unknown> {
    const text = await this.getText(kind, address, path);
    try {
      return unwrap(JSON.parse(text));
    } catch (cause) {
      throw new UpstreamError(`${(cause as Error).message} in the answer of ${address} to ${path}`, 200, {
        cause,
      });
    }
  }

  /** The same for an answer that is text. @throws {UpstreamError} */
  async getText(kind: UpstreamKind, address: string, path: string): Promise<string> {
    return UTF8.decode((await this.#send(kind, "GET", address, path, null)).body);
  }

  /** Sends a request without a body, and resolves with the whole answer, which is 200. @throws {UpstreamError} */
  async ask(kind: UpstreamKind, method: Method, address: string, path: string): Promise<HttpReply> {
    return await this.#send(kind, method, address, path, null);
  }

  /** Sends a POST, by default without a body, and resolves when it is answered 200. @throws {UpstreamError} */
  async post(kind: UpstreamKind, address: string, path: string, body?: Uint8Array): Promise<void> {
    await this.#send(kind, "POST", address, path, body ?? null);
  }

  async #send(
    kind: UpstreamKind,
    method: Method,
    address: string,
    path: string,
    body: Uint8Array | null,
  ): Promise<HttpReply> {
    const url = urlOf(address, path);
    let reply = await this.#exchange(kind, method, url, body);
    const securePort = reply.status === 403 && url.startsWith("http://") ? httpsPortOf(reply.body) : null;
    if (securePort !== null) {
      const secure = new URL(url);
      secure.protocol = "https:";
      secure.port = String(securePort);
      reply = await this.#exchange(kind, method, secure.href, body);
    }
    if (reply.status === 200) return reply;
    const reason = REASONS[reply.status] ?? "";
    const answer = UTF8.decode(reply.body);
    const message = `got response ${`${reply.status} ${reason}`.trim()} ${JSON.stringify(answer)}`;
    throw new UpstreamError(message, reply.status, { answer });
  }

  async #exchange(
    kind: UpstreamKind,
    method: Method,
    url: string,
    body: Uint8Array | null,
  ): Promise<HttpReply> {
    const shown = withoutPassword(url);
    this.#logger?.info(`CI: querying ${kind} ${shown}`);
    try {
      const headers: Record<string, string> = { accept: ACCEPT };
      if (kind === "nsqd" && this.#authSecret !== "") headers.authorization = `Bearer ${this.#authSecret}`;
      return await this.#http.request(url, { method, headers, body: body ?? "" });
    } catch (cause) {
      if (!(cause instanceof HttpRequestError)) throw cause;
      const verb = method[0] + method.slice(1).toLowerCase();
      throw new UpstreamError(`${verb} "${shown}": ${reasonOf(cause, url)}`, null, { cause });
    }
  }
}

function withoutPassword(url: string): string {
  return url.replace(/^(https?:\/\/)[^/?#]*@/, "$1");
}

/** What everybody greps for, by the code of the system. */
const CONNECT_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
};

function reasonOf(error: HttpRequestError, url: string): string {
  if (error.kind !== "connect") return error.message;
  const host = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(url)?.[1] ?? url;
  const { code = "" } = (error.cause ?? {}) as { code?: string };
  if (code === "ENOTFOUND") return `dial tcp: lookup ${host.replace(/:\d+$/, "")}: no such host`;
  return `dial tcp ${host}: ${CONNECT_REASONS[code] ?? error.message}`;
}

/** The port on which a node that refuses plain HTTP serves its API; null when it does not say. */
function httpsPortOf(body: Uint8Array): number | null {
  try {
    const json = JSON.parse(UTF8.decode(body));
    const port = Number(json?.https_port);
    return Number.isInteger(port) && port > 0 && port < 65536 ? port : null;
  } catch {
    return null;
  }
}

/** Before version 1.0 answers were `{"status_code":200,"status_txt":"OK","data":...}`. */
function unwrap(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return json;
  return "status_code" in json && "data" in json ? json.data : json;
}
