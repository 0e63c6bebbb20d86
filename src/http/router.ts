/**
 * Finds the handler of a request, and answers the requests that have none.
 *
 * Hono finds the handler: a map access for a fixed path, which is what publishers use. This file owns the
 * rules around it: unknown paths, wrong methods, OPTIONS, redirects to the canonical spelling, the access
 * log, and what happens when a handler fails.
 */
import { type Context, Hono } from "hono";
import type { Logger } from "../log/logger.ts";
import { remoteAddressOf } from "../net/address.ts";
import { discardBody } from "./body.ts";
import { HttpError, internalError, invalidRequest } from "./errors.ts";
import { PathTable } from "./path_table.ts";
import { Query } from "./query.ts";
import { logRequest } from "./request_log.ts";
import { pathOf, queryOf, targetOf } from "./request_target.ts";
import { respond, respondError, type Style } from "./respond.ts";

type HonoContext = Context<{ Bindings: Deno.ServeHandlerInfo }>;

/** What `serve()` calls for each request. */
export type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;

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

  get request(): Request {
    return this.#hono.req.raw;
  }

  /** Path and query as they were sent. */
  get target(): string {
    return targetOf(this.request.url);
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
    return remoteAddressOf(this.#hono.env.remoteAddr);
  }
}

export interface AppOptions {
  readonly logger: Logger;
}

/** Makes the handler of an API out of its endpoints. */
export function createApp(routes: readonly Route[], options: AppOptions): Handler {
  const { logger } = options;
  const table = new PathTable();
  const app = new Hono<{ Bindings: Deno.ServeHandlerInfo }>({
    getPath: (request) => pathOf(targetOf(request.url)),
  });
  for (const route of routes) {
    table.add(route.method, route.path);
    const answer = route.isLogged === false ? answerRoute : answerAndLog;
    app.on(route.method, route.path, (hono: HonoContext) => answer(route, new RequestContext(hono), logger));
  }
  const answerUnrouted = (request: Request, info: Deno.ServeHandlerInfo) =>
    unrouted(table, request, info, logger);
  app.notFound((hono) => answerUnrouted(hono.req.raw, hono.env));
  app.onError((cause, hono) => fail(cause, "v1", hono.req.raw, logger));
  // Hono would answer HEAD as it answers GET.
  return (request, info) =>
    request.method === "HEAD" || hasPathInHost(request)
      ? answerUnrouted(request, info)
      : app.fetch(request, info);
}

/**
 * Whether the header `Host` holds a slash. The runtime puts it in front of the path without a look, so that
 * `Host: a/topic/delete?` would choose the endpoint, past a proxy that judges by the path.
 */
function hasPathInHost(request: Request): boolean {
  return request.headers.get("host")?.includes("/") ?? false;
}

async function answerRoute(route: Route, context: RequestContext, logger: Logger): Promise<Response> {
  const style = route.style ?? "v1";
  try {
    return respond(style, await route.handle(context));
  } catch (cause) {
    return fail(cause, style, context.request, logger);
  } finally {
    discardBody(context.request);
  }
}

async function answerAndLog(route: Route, context: RequestContext, logger: Logger): Promise<Response> {
  const startedMs = performance.now();
  const response = await answerRoute(route, context, logger);
  const elapsedMs = performance.now() - startedMs;
  const { request, target, remoteAddress } = context;
  logRequest(logger, response.status, request.method, target, remoteAddress, elapsedMs);
  return response;
}

function fail(cause: unknown, style: Style, request: Request, logger: Logger): Response {
  if (cause instanceof HttpError) {
    if (cause.cause !== undefined) logFailure(cause.cause, request, logger);
    return respondError(style, cause);
  }
  logFailure(cause, request, logger);
  // Whatever the endpoint, a fault of ours is answered as the API's errors are.
  return respondError("v1", internalError());
}

function logFailure(cause: unknown, request: Request, logger: Logger): void {
  const text = cause instanceof Error ? cause.stack ?? cause.message : String(cause);
  logger.error(`HTTP: failed to answer ${request.method} ${targetOf(request.url)} - ${text}`);
}

// ---- requests without a handler ---------------------------------------------------------------

function unrouted(table: PathTable, request: Request, info: Deno.ServeHandlerInfo, logger: Logger): Response {
  const startedMs = performance.now();
  discardBody(request);
  const { method } = request;
  const target = targetOf(request.url), path = pathOf(target);
  const refuse = (error: HttpError, headers: [string, string][] = []) => {
    const elapsedMs = performance.now() - startedMs;
    logRequest(logger, error.status, method, target, remoteAddressOf(info.remoteAddr), elapsedMs);
    return respondError("v1", error, headers);
  };
  if (hasPathInHost(request)) return refuse(invalidRequest());
  const canonical = table.canonical(method, path);
  if (canonical !== undefined) return redirect(method, canonical, queryOf(target));
  const allow = table.allow(path);
  if (allow !== undefined && method === "OPTIONS") return new Response(null, { headers: { "Allow": allow } });
  return allow === undefined
    ? refuse(new HttpError(404, "NOT_FOUND"))
    : refuse(new HttpError(405, "METHOD_NOT_ALLOWED"), [["Allow", allow]]);
}

/** A browser that follows a GET may show the body meanwhile; other methods must be sent again as they were. */
function redirect(method: string, path: string, query: string): Response {
  const location = encodeTarget(query === "" ? path : `${path}?${query}`);
  if (method !== "GET") return new Response(null, { status: 308, headers: { "Location": location } });
  const link = location.replaceAll("&", "&amp;").replaceAll('"', "&#34;").replaceAll("'", "&#39;")
    .replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return new Response(`<a href="${link}">Moved Permanently</a>.\n`, {
    status: 301,
    headers: [["Content-Type", "text/html; charset=utf-8"], ["Location", location]],
  });
}

/** Escapes what may not stand in a header. */
function encodeTarget(target: string): string {
  // deno-lint-ignore no-control-regex
  return target.replace(/[\x00-\x20\x7f-\uffff]+/g, (text) => encodeURIComponent(text.toWellFormed()));
}
