/**
 * `/api/graphite`, which reads a rate from Graphite, and `/render`, which passes requests for its charts on.
 *
 * Tested in test/admin/http/graphite_test.ts.
 */
import { HttpError, internalError } from "../../http/errors.ts";
import { HttpRequestError } from "../../http/client/errors.ts";
import type { HttpClient } from "../../http/client/http_client.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import type { AdminOptions } from "../../options/tables/admin_options.ts";

type GraphiteOptions = Pick<AdminOptions, "graphiteUrl" | "proxyGraphite" | "statsdInterval">;

export function graphiteRoutes(options: GraphiteOptions, http: HttpClient): Route[] {
  const rate: Route = {
    method: "GET",
    path: "/api/graphite",
    handle: (context) => readRate(options, http, context),
  };
  const render: Route = {
    method: "GET",
    path: "/render",
    handle: (context) => passOn(options.graphiteUrl, http, context),
  };
  return options.proxyGraphite ? [rate, render] : [rate];
}

async function readRate(options: GraphiteOptions, http: HttpClient, { query }: RequestContext) {
  if (query.get("metric") !== "rate") throw new HttpError(400, "INVALID_ARG_METRIC");
  const target = query.get("target");
  if (target === undefined) throw new HttpError(400, "INVALID_ARG_TARGET");
  const seconds = Math.trunc(options.statsdInterval / 1000);
  const url = `${options.graphiteUrl.replace(/\/+$/, "")}/render?format=json&from=-${2 * seconds}sec` +
    `&target=${encodeURIComponent(target)}&until=-${seconds}sec`;
  let value: unknown;
  try {
    const series = await http.getJson(url) as { datapoints?: unknown[][] }[];
    value = series?.[0]?.datapoints?.[0]?.[0];
  } catch (cause) {
    if (!(cause instanceof HttpRequestError)) throw cause;
    throw internalError(`Graphite: ${cause.message}`);
  }
  if (typeof value !== "number") throw internalError();
  return { rate: value < 0 ? "N/A" : (value / seconds).toFixed(2) };
}

/** Graphite gets path and query as they came, at the host of its URL; what stands behind the host there is unused. */
async function passOn(graphiteUrl: string, http: HttpClient, context: RequestContext): Promise<Response> {
  const { protocol, host, username, password } = new URL(graphiteUrl);
  const user = username === "" && password === "" ? "" : `${username}:${password}@`;
  const client = context.remoteAddress.replace(/:\d+$/, "");
  const before = context.request.headers.get("x-forwarded-for");
  try {
    const { status, headers, body } = await http.request(`${protocol}//${user}${host}${context.target}`, {
      headers: { "x-forwarded-for": before === null ? client : `${before}, ${client}` },
    });
    const type = headers["content-type"];
    return new Response(body, { status, headers: type === undefined ? {} : { "Content-Type": type } });
  } catch (cause) {
    if (!(cause instanceof HttpRequestError)) throw cause;
    throw new HttpError(502, "BAD_GATEWAY", { cause: `Graphite: ${cause.message}` });
  }
}
