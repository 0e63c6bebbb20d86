/**
 * The HTTP client of all programs: auth servers, lookupds, nodes, and whoever messages are posted to.
 *
 * A request has two clocks, one until its connection stands and one for all of it, and its reply a bound in
 * bytes; nothing that the other side does can make a caller wait or fill its memory beyond them. A reply of any
 * status is a reply; only its absence is an error.
 *
 * `node:http` is loaded by the first request: a program that sends none does without its megabytes.
 */
import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import type { TlsClientSettings } from "../../net/tls_client_settings.ts";
import { HttpRequestError } from "./errors.ts";
import { readReplyBody } from "./reply_body.ts";
import { type RequestTarget, targetOfUrl } from "./url.ts";

export interface HttpClientSettings {
  /** Until the connection stands: name, TCP and TLS together, ms. */
  connectTimeoutMs: number;
  /** For a whole request, redirects included, ms. */
  requestTimeoutMs: number;
  /** The longest body of a reply, bytes, also of what a compressed one holds. 16 MiB by default. */
  maxReplyBytes?: number;
  /** For `https:`; null, the default, trusts the roots of the system and shows no certificate. */
  tls?: TlsClientSettings | null;
  /** Sent as `User-Agent`; no such header by default. */
  userAgent?: string;
  /**
   * Connections that are kept for later requests, for each host. 0, the default, opens one for each request:
   * right for whoever is asked rarely and may have been restarted since.
   */
  maxIdleConnections?: number;
  /** Asks for compressed replies, and undoes that. False by default. */
  isCompressionAccepted?: boolean;
  /** How many redirects of one request are followed; 0 by default, where a redirect is a reply as any other. */
  maxRedirects?: number;
}

export interface HttpRequest {
  /** GET by default. */
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array | null;
  /** Aborted, it ends the request with an error of kind `aborted`. */
  signal?: AbortSignal | null;
}

export interface HttpReply {
  readonly status: number;
  /** By name in lower case. Several lines of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Belongs to the caller. */
  readonly body: Uint8Array<ArrayBuffer>;
}

const DEFAULT_MAX_REPLY_BYTES = 16 << 20;

export class HttpClient {
  readonly #settings: HttpClientSettings;
  #plainAgent: Agent | null = null;
  #secureAgent: Agent | null = null;

  constructor(settings: HttpClientSettings) {
    this.#settings = settings;
  }

  /**
   * Sends a request and resolves with its reply, of whatever status.
   *
   * @param url `http://`, `https://`, or `http+unix://` with the escaped path of a socket as its host (see
   * `urlOf()`); a user and a password in it are sent as basic authorization
   * @throws {HttpRequestError} when no reply came; no password and no query is in its message
   */
  async request(url: string | URL, request: HttpRequest = {}): Promise<HttpReply> {
    const timeLimit = new AbortController();
    const { requestTimeoutMs } = this.#settings;
    const timer = setTimeout(
      () =>
        timeLimit.abort(new HttpRequestError("timeout", `no reply from it within ${requestTimeoutMs} ms`)),
      requestTimeoutMs,
    );
    try {
      return await this.#follow(targetOfUrl(url), request, timeLimit.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sends a GET and resolves with the JSON of its reply, which is not checked further.
   *
   * @throws {HttpRequestError} when no reply came, its status is not 200, or it is no JSON
   */
  async getJson(url: string | URL, request: HttpRequest = {}): Promise<unknown> {
    const { status, body } = await this.request(url, request);
    const text = new TextDecoder().decode(body);
    if (status !== 200) throw HttpRequestError.ofStatus(status, text);
    try {
      return JSON.parse(text);
    } catch (cause) {
      const message = `the reply is no JSON: ${JSON.stringify(text.slice(0, 80))}`;
      throw new HttpRequestError("reply", message, { cause });
    }
  }

  /** Closes the idle connections. Requests that run end as they would have. */
  close(): void {
    this.#plainAgent?.destroy();
    this.#secureAgent?.destroy();
    this.#plainAgent = this.#secureAgent = null;
  }

  async #follow(target: RequestTarget, request: HttpRequest, timeLimit: AbortSignal): Promise<HttpReply> {
    const { maxRedirects = 0 } = this.#settings;
    for (let redirects = 0;; redirects++) {
      const reply = await this.#attempt(target, request, timeLimit);
      const { location } = reply.headers;
      if (maxRedirects === 0 || !isRedirect(reply.status) || location === undefined) return reply;
      if (redirects === maxRedirects) {
        throw new HttpRequestError("reply", `redirected more than ${maxRedirects} times`);
      }
      ({ target, request } = redirected(target, request, reply.status, location));
    }
  }

  /** Sends once more what met a connection that its server had just closed, if that can do no harm. */
  async #attempt(target: RequestTarget, request: HttpRequest, timeLimit: AbortSignal): Promise<HttpReply> {
    try {
      return await this.#exchange(target, request, timeLimit);
    } catch (error) {
      const isSafe = request.method === undefined || /^(GET|HEAD)$/.test(request.method);
      if (!isSafe || !(error instanceof HttpRequestError) || error.kind !== "stale connection") throw error;
      return await this.#exchange(target, request, timeLimit);
    }
  }

  async #exchange(target: RequestTarget, request: HttpRequest, timeLimit: AbortSignal): Promise<HttpReply> {
    const { isTls } = target;
    const { request: open, Agent } = isTls ? await import("node:https") : await import("node:http");
    const body = typeof request.body === "string" ? new TextEncoder().encode(request.body) : request.body;
    const options: RequestOptions = {
      ...target.destination,
      method: request.method ?? "GET",
      path: target.path,
      headers: this.#headers(target, request, body),
      agent: this.#agent(isTls, Agent),
      ...(isTls ? tlsOptions(this.#settings.tls ?? null) : {}),
    };
    return await this.#send(() => open(options), body ?? null, request.signal ?? null, timeLimit);
  }

  #headers(target: RequestTarget, request: HttpRequest, body?: Uint8Array | null): Record<string, string> {
    const { userAgent, isCompressionAccepted } = this.#settings;
    return {
      ...(target.authorization === null ? {} : { authorization: target.authorization }),
      ...(userAgent === undefined ? {} : { "user-agent": userAgent }),
      ...(isCompressionAccepted ? { "accept-encoding": "gzip" } : {}),
      ...(body ? { "content-length": String(body.length) } : {}),
      ...request.headers,
    };
  }

  #agent(isTls: boolean, make: typeof Agent): Agent | false {
    const { maxIdleConnections = 0 } = this.#settings;
    if (maxIdleConnections === 0) return false;
    const open = () => new make({ keepAlive: true, maxFreeSockets: maxIdleConnections });
    return isTls ? this.#secureAgent ??= open() : this.#plainAgent ??= open();
  }

  #send(
    open: () => ClientRequest,
    body: Uint8Array | null,
    signal: AbortSignal | null,
    timeLimit: AbortSignal,
  ): Promise<HttpReply> {
    const { connectTimeoutMs, maxReplyBytes = DEFAULT_MAX_REPLY_BYTES } = this.#settings;
    const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
    const ended = [timeLimit, ...(signal === null ? [] : [signal])];
    for (const { aborted, reason } of ended) if (aborted) throw HttpRequestError.from(reason, "aborted");
    const request = open();
    const fail = (error: HttpRequestError) => {
      reject(error);
      request.destroy();
    };
    const connecting = setTimeout(
      () => fail(new HttpRequestError("connect", `no connection to it within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const onAbort = (event: Event) =>
      fail(HttpRequestError.from((event.target as AbortSignal).reason, "aborted"));
    for (const each of ended) each.addEventListener("abort", onAbort, { once: true });
    let isConnected = false;
    const connected = () => {
      isConnected = true;
      clearTimeout(connecting);
    };
    request.on("socket", (socket) => {
      if (!socket.connecting) connected();
      else socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
    });
    request.on("response", (response: IncomingMessage) => {
      connected();
      readReplyBody(response, maxReplyBytes).then((bytes) => {
        resolve({ status: response.statusCode ?? 0, headers: headersOf(response), body: bytes });
      }, (cause) => fail(HttpRequestError.from(cause, "reply")));
    });
    request.on("error", (cause) => {
      const isStale = request.reusedSocket && (cause as { code?: string }).code === "ECONNRESET";
      reject(HttpRequestError.from(cause, isStale ? "stale connection" : isConnected ? "reply" : "connect"));
    });
    request.end(body ?? undefined);
    return promise.finally(() => {
      clearTimeout(connecting);
      for (const each of ended) each.removeEventListener("abort", onAbort);
    });
  }
}

function tlsOptions(tls: TlsClientSettings | null): RequestOptions {
  if (tls === null) return {};
  return {
    minVersion: tls.minVersion,
    rejectUnauthorized: tls.isVerified,
    ...(tls.rootCertificates === null ? {} : { ca: tls.rootCertificates }),
    ...(tls.identity === null ? {} : tls.identity),
  };
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function redirected(from: RequestTarget, request: HttpRequest, status: number, location: string) {
  let target: RequestTarget;
  try {
    target = targetOfUrl(new URL(location, from.url));
  } catch (cause) {
    throw new HttpRequestError("reply", "redirected to what is no URL", { cause });
  }
  const isSameHost = target.url.host === from.url.host && target.isTls === from.isTls;
  if (isSameHost && target.authorization === null) target = { ...target, authorization: from.authorization };
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).filter(([name]) => isSameHost || !isCredential(name)),
  );
  const needsBody = status === 307 || status === 308;
  if (needsBody || request.method === undefined || request.method === "GET" || request.method === "HEAD") {
    return { target, request: { ...request, headers } };
  }
  return { target, request: { ...request, headers, method: "GET", body: null } };
}

function isCredential(name: string): boolean {
  return /^(authorization|cookie)$/i.test(name);
}

function headersOf(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}
