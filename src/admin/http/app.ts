/**
 * Puts the console's addresses together: who may, what protects browsers, the HTTP API, the pages, and last what
 * answers all else.
 *
 * The way of a request: headers that tell browsers what to allow; compression; where it may come from; who asks;
 * the API; the pages; and for what is left, the rules of `src/http` about unknown paths, wrong methods and spelling.
 * Tested in test/admin/http/app_test.ts.
 */
import { type Context, Hono, type Next } from "hono";
import { compress } from "hono/compress";
import { csrf } from "hono/csrf";
import { NONCE, secureHeaders } from "hono/secure-headers";
import { HttpError } from "../../http/errors.ts";
import { logRequest } from "../../http/request_log.ts";
import { remoteAddressOf } from "../../net/address.ts";
import { pathOf, targetOf } from "../../http/request_target.ts";
import { respondError } from "../../http/respond.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import { createWebApp, responseOf, type WebHandler } from "../../http/web_handler.ts";
import type { Logger } from "../../log/logger.ts";
import type { Access } from "../access/access.ts";
import type { Console, ConsoleContext, ConsoleEnv } from "../console.ts";
import { ipOf, sessionTokenOf } from "../console_service.ts";
import type { User } from "../model/action.ts";

export interface AppParts {
  /** `/`, or such as `/adm`. */
  readonly basePath: string;
  readonly access: Access;
  /** Whether everybody may, from this machine alone: names of other machines are then a trick. */
  readonly isLoopbackOnly: boolean;
  readonly console: Console;
  /** The HTTP API, below the base path. */
  readonly routes: readonly Route[];
  /** Registers the pages, below the base path. */
  readonly mountPages: (app: Hono<ConsoleEnv>, console: Console) => void;
  /** Where pictures may come from, beside here. */
  readonly imageOrigins: readonly string[];
  readonly logger: Logger;
}

/** Pages by their addresses: what is spelled differently is led to them. */
const PAGE_PATHS = [
  "/",
  "/topics",
  "/topics/:topic",
  "/topics/:topic/:channel",
  "/nodes",
  "/nodes/:node",
  "/counter",
  "/lookup",
];
/** What is answered without asking who it is: probes, and what the login page needs. */
const PUBLIC_PATHS = /^\/(?:ping|login|static\/[^/]+|fonts\/[^/]+)$/;
const SAFE_METHODS = /^(?:GET|HEAD|OPTIONS)$/;
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|[\w-]+\.localhost)(?::\d+)?$/i;

/** Who sent a request, for the routes of the API. */
const users = new WeakMap<Request, User>();

/** Of a request that `createConsoleApp()` let through to the API. */
export function userOf(context: RequestContext): User {
  const user = users.get(context.request.standard());
  if (user === undefined) throw new HttpError(401, "UNAUTHORIZED");
  return user;
}

/** Makes the handler for `serve()`, which wants it in `webHandler()`. */
export function createConsoleApp(parts: AppParts): WebHandler {
  const { basePath, logger } = parts;
  const prefix = basePath === "/" ? "" : basePath;
  const pages = PAGE_PATHS.map((path): Route => ({
    method: "GET",
    path,
    handle: () => {
      throw new HttpError(404, "NOT_FOUND");
    },
  }));
  const below = (route: Route): Route => ({
    ...route,
    path: route.path === "/" ? basePath : `${prefix}${route.path}`,
  });
  const api = createWebApp([...parts.routes, ...pages].map(below), { logger });
  const passOn = (context: ConsoleContext) => {
    isPassedOn.add(context.req.raw);
    const user = context.get("user");
    if (user !== undefined) users.set(context.req.raw, user);
    return api(context.req.raw, context.env);
  };
  const app = new Hono<ConsoleEnv>({ getPath: (request) => pathOf(targetOf(request.url)) });
  app.use(secured(parts.imageOrigins));
  app.use(compressed);
  app.use((context, next) => logged(context, next, logger));
  app.use((context, next) => fromHere(context, next, parts.isLoopbackOnly));
  app.use((context, next) => identified(context, next, parts, prefix));
  for (const path of new Set(parts.routes.map((route) => below(route).path))) app.all(path, passOn);
  parts.mountPages(basePath === "/" ? app : app.basePath(basePath) as Hono<ConsoleEnv>, parts.console);
  app.notFound(passOn);
  app.onError((cause, context) => failed(cause, context, logger));
  return (request, info) => {
    // These are refused before anything reads their path, which is not what it seems.
    const isOdd = request.headers.get("host")?.includes("/") || request.method === "HEAD";
    return isOdd ? api(request, info) : app.fetch(request, info);
  };
}

/** Requests that the API logs by itself. */
const isPassedOn = new WeakSet<Request>();

async function logged(context: ConsoleContext, next: Next, logger: Logger): Promise<void> {
  const startedMs = performance.now();
  await next();
  const { raw } = context.req;
  if (isPassedOn.has(raw)) return;
  const remote = remoteAddressOf(context.env.remoteAddr);
  logRequest(
    logger,
    context.res.status,
    raw.method,
    targetOf(raw.url),
    remote,
    performance.now() - startedMs,
  );
}

function secured(imageOrigins: readonly string[]) {
  const own = "'self'";
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: [own, NONCE],
      styleSrc: [own, NONCE],
      imgSrc: [own, "data:", ...imageOrigins],
      fontSrc: [own],
      connectSrc: [own],
      formAction: [own],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
    },
    xFrameOptions: "DENY",
    referrerPolicy: "same-origin",
    // Whether a whole domain goes without plain HTTP is for who owns it to say, in the proxy that has the certificate.
    strictTransportSecurity: false,
  });
}

/** The encoding that a client names first. */
async function compressed(context: ConsoleContext, next: Next): Promise<Response | void> {
  const wanted = /\b(gzip|deflate)\b/i.exec(context.req.header("accept-encoding") ?? "")?.[1].toLowerCase();
  return await compress(wanted === undefined ? {} : { encoding: wanted as "gzip" | "deflate" })(
    context,
    next,
  );
}

/**
 * Lets only this console's own pages, and programs, change anything: a browser says where a request comes from, and
 * what says nothing, and carries no session, is no browser.
 */
async function fromHere(
  context: ConsoleContext,
  next: Next,
  isLoopbackOnly: boolean,
): Promise<Response | void> {
  if (SAFE_METHODS.test(context.req.method)) return await next();
  const host = context.req.header("host") ?? "";
  if (isLoopbackOnly && !LOOPBACK_HOST.test(host)) throw new HttpError(403, "FORBIDDEN_HOST");
  const isFromBrowser = context.req.header("origin") !== undefined ||
    context.req.header("sec-fetch-site") !== undefined ||
    sessionTokenOf(context) !== undefined;
  if (!isFromBrowser) return await next();
  const site = context.req.header("sec-fetch-site");
  const isSameHost = (origin: string) => URL.parse(origin)?.host === host;
  const origin = context.req.header("origin");
  // Not only for the types that forms send: a body is read as JSON whatever type it says.
  const isForeign = site !== undefined
    ? site !== "same-origin" && site !== "none"
    : origin !== undefined && !isSameHost(origin);
  if (isForeign) throw new HttpError(403, "FORBIDDEN_ORIGIN");
  return await csrf({ origin: isSameHost, secFetchSite: ["same-origin", "none"] })(context, next);
}

async function identified(
  context: ConsoleContext,
  next: Next,
  { access, logger }: AppParts,
  prefix: string,
): Promise<Response | void> {
  const { raw } = context.req;
  const user = await access.identify(raw.headers, sessionTokenOf(context), ipOf(context));
  if (user !== null) context.set("user", user);
  const target = targetOf(raw.url), path = pathOf(target).slice(prefix.length);
  if (user !== null || PUBLIC_PATHS.test(path)) return await next();
  const wantsPage = SAFE_METHODS.test(raw.method) && !/^\/(?:api|config)\//.test(path) &&
    (raw.headers.get("accept") ?? "").includes("text/html");
  if (wantsPage) return context.redirect(`${prefix}/login?next=${encodeURIComponent(target)}`, 303);
  logger.debug(`HTTP: ${raw.method} ${target} needs a login`);
  // A script of a page is no program that could answer: the browser would ask with a window of its own.
  const isScript = raw.headers.has("sec-fetch-site");
  return responseOf(respondError(
    "v1",
    new HttpError(401, "UNAUTHORIZED"),
    isScript ? [] : [["WWW-Authenticate", `Basic realm="nsqadmin"`]],
  ));
}

function failed(cause: Error, context: Context<ConsoleEnv>, logger: Logger): Response {
  // What a middleware of Hono refuses has its answer with it.
  if ("getResponse" in cause && typeof cause.getResponse === "function") return cause.getResponse();
  if (cause instanceof HttpError) {
    if (cause.cause !== undefined) logger.error(`HTTP: failed to answer - ${cause.cause}`);
    return responseOf(respondError("v1", cause));
  }
  const { method, url } = context.req.raw;
  logger.error(`HTTP: failed to answer ${method} ${targetOf(url)} - ${cause.stack ?? cause.message}`);
  return responseOf(respondError("v1", new HttpError(500, "INTERNAL_ERROR")));
}
