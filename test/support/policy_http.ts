/** Requests to the HTTP API of a running broker that speak JSON. */
import { RunningBroker } from "./running_broker.ts";

export type { RunningBroker } from "./running_broker.ts";

export interface JsonAnswer {
  status: number;
  text: string;
  headers: Headers;
  // deno-lint-ignore no-explicit-any
  json: any;
}

/** Sends a request; a body that is no text is JSON. */
export async function call(
  running: RunningBroker,
  method: string,
  path: string,
  body?: unknown,
): Promise<JsonAnswer> {
  const response = await fetch(`http://127.0.0.1:${running.http.port}${path}`, {
    method,
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, text, headers: response.headers, json: isJson ? JSON.parse(text) : null };
}

/** Runs `body` with a broker of its own. */
export async function withBroker(body: (running: RunningBroker) => Promise<void>): Promise<void> {
  await using running = new RunningBroker();
  await body(running);
}
