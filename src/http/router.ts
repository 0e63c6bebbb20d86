/**
 * Finds the handler of a request, and answers the requests that have none.
 *
 * Hono finds the handler: a map access for a fixed path, which is what publishers use. This file owns the
 * rules around it: unknown paths, wrong methods, OPTIONS, redirects to the canonical spelling, the access
 * log, and what happens when a handler fails.
 */
import { type Context, Hono } from "hono";
import { html } from "hono/html";
import type { Logger } from "../log/logger.ts";
import { Answer, AnswerHead } from "./answer.ts";
import type { Handler } from "./connection/http_connection.ts";
import type { HttpRequest } from "./connection/incoming_request.ts";
import { HttpError, internalError, invalidRequest } from "./errors.ts";
import { PathTable } from "./path_table.ts";
import { Query } from "./query.ts";
import { logRequest } from "./request_log.ts";
import { pathOf, queryOf } from "./request_target.ts";
import { respond, respondError, type Style } from "./respond.ts";

/** Hono only finds the handler: it passes the request on, and what the handler returns, without a look at either. */
type HonoContext = Context<{ Bindings: HttpRequest }>;

/** One endpoint of an API. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** A fixed path such as `/ping`, or one with parameters such as `/config/:opt`. */
  readonly path: string;
  /** How values and errors become responses; `v1` by default. */
  readonly style?: Style;
  /** False for endpoints that are left out of the access log; true by default. */
  readonly isLogged?: boolean;
  /**
   * Returns the answer: see `respond.ts`. It may leave the body unread.
   *
   * @throws {HttpError} to answer with that status and code; anything else is a fault and answered with 500
   */
  handle(context: RequestContext): unknown;
}

/** What a handler knows of its request. */
export class RequestContext {
  readonly #hono: HonoContext;
  #query: Query | undefined;

  constructor(hono: HonoContext) {
    this.#hono = hono;
  }

  get request(): HttpRequest {
    return this.#hono.env;
  }

  /** Path and query as they were sent. */
  get target(): string {
    return this.request.target;
  }

  /** The parameters of the query. @throws {HttpError} 400 INVALID_REQUEST */
  get query(): Query {
    return this.#query ??= new Query(queryOf(this.target));
  }

  /** The part of the path that stands for `:name` in the route. */
  parameter(name: string): string {
    return this.#hono.req.param(name) ?? "";
  }

  /** `ip:port` of the client, or `@` on a Unix socket. */
  get remoteAddress(): string {
    return this.request.remoteAddress;
  }
}

export interface AppOptions {
  readonly logger: Logger;
}

/** Makes the handler of an API out of its endpoints. */
export function createApp(routes: readonly Route[], options: AppOptions): Handler {
  const { logger } = options;
  const table = new PathTable();
  const app = new Hono<{ Bindings: HttpRequest }>({
    getPath: (request) => pathOf((request as unknown as HttpRequest).target),
  });
  for (const route of routes) {
    table.add(route.method, route.path);
    const answer = route.isLogged === false ? answerRoute : answerAndLog;
    app.on(
      route.method,
      route.path,
      (hono: HonoContext) => asResponse(answer(route, new RequestContext(hono), logger)),
    );
  }
  const answerUnrouted = (request: HttpRequest) => unrouted(table, request, logger);
  app.notFound((hono) => asResponse(answerUnrouted(hono.env)));
  app.onError((cause, hono) => asResponse(fail(cause, "v1", hono.env, logger)));
  // Hono would answer HEAD as it answers GET.
  return (request) =>
    request.method === "HEAD" || hasPathInHost(request)
      ? answerUnrouted(request)
      : app.fetch(request as unknown as Request, request) as unknown as Answer | Promise<Answer>;
}

/** What Hono takes for a response and passes on. */
function asResponse(answer: Answer | Promise<Answer>): Response {
  return answer as unknown as Response;
}

/**
 * Whether the header `Host` holds a slash. A server that puts host and path together before it takes them apart again
 * lets such a host choose the endpoint; no client sends one.
 */
function hasPathInHost(request: HttpRequest): boolean {
  return request.headers.get("host")?.includes("/") ?? false;
}

async function answerRoute(route: Route, context: RequestContext, logger: Logger): Promise<Answer> {
  const style = route.style ?? "v1";
  try {
    return respond(style, await route.handle(context));
  } catch (cause) {
    return fail(cause, style, context.request, logger);
  }
}

async function answerAndLog(route: Route, context: RequestContext, logger: Logger): Promise<Answer> {
  const startedMs = performance.now();
  const answer = await answerRoute(route, context, logger);
  const elapsedMs = performance.now() - startedMs;
  const { request, target, remoteAddress } = context;
  logRequest(logger, answer.status, request.method, target, remoteAddress, elapsedMs);
  return answer;
}

function fail(cause: unknown, style: Style, request: HttpRequest, logger: Logger): Answer {
  if (cause instanceof HttpError) {
    // What the world did is told by its reason; only a fault of ours needs the place that it came from.
    if (cause.cause !== undefined) logFailure(messageOf(cause.cause), request, logger);
    return respondError(style, cause);
  }
  logFailure(cause, request, logger);
  // Whatever the endpoint, a fault of ours is answered as the API's errors are.
  return respondError("v1", internalError());
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function logFailure(cause: unknown, request: HttpRequest, logger: Logger): void {
  const text = cause instanceof Error ? cause.stack ?? cause.message : String(cause);
  logger.error(`HTTP: failed to answer ${request.method} ${request.target} - ${text}`);
}

// ---- requests without a handler ---------------------------------------------------------------

function unrouted(table: PathTable, request: HttpRequest, logger: Logger): Answer {
  const startedMs = performance.now();
  const { method, target } = request, path = pathOf(target);
  const refuse = (error: HttpError, headers: [string, string][] = []) => {
    const elapsedMs = performance.now() - startedMs;
    logRequest(logger, error.status, method, target, request.remoteAddress, elapsedMs);
    return respondError("v1", error, headers);
  };
  if (hasPathInHost(request)) return refuse(invalidRequest());
  const canonical = table.canonical(method, path);
  if (canonical !== undefined) return redirect(method, canonical, queryOf(target));
  const allow = table.allow(path);
  if (allow !== undefined && method === "OPTIONS") return new Answer(new AnswerHead(200, [["Allow", allow]]));
  return allow === undefined
    ? refuse(new HttpError(404, "NOT_FOUND"))
    : refuse(new HttpError(405, "METHOD_NOT_ALLOWED"), [["Allow", allow]]);
}

/** A browser that follows a GET may show the body meanwhile; other methods must be sent again as they were. */
function redirect(method: string, path: string, query: string): Answer {
  const location = encodeTarget(query === "" ? path : `${path}?${query}`);
  if (method !== "GET") return new Answer(new AnswerHead(307, [["Location", location]]));
  const head = new AnswerHead(301, [["Content-Type", "text/html; charset=utf-8"], ["Location", location]]);
  return new Answer(head, String(html`<a href="${location}">Moved Permanently</a>.\n`));
}

/** Escapes what may not stand in a header. */
function encodeTarget(target: string): string {
  // deno-lint-ignore no-control-regex
  return target.replace(/[\x00-\x20\x7f-\uffff]+/g, (text) => encodeURIComponent(text.toWellFormed()));
}
