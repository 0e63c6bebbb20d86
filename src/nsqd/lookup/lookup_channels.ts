/** Asks the HTTP API of one lookupd for the channels of a topic. */
import type { IncomingMessage } from "node:http";

export interface QueryLimits {
  /** Until the connection stands. */
  connectTimeoutMs: number;
  /** For the whole request. */
  requestTimeoutMs: number;
  /** A longer answer is refused. */
  maxBodyBytes: number;
}

/**
 * Resolves with the channels of `topic`, names unchecked.
 *
 * @throws {Error} when lookupd does not answer in time, or not with status 200 and a list of channels
 */
export async function queryChannels(
  address: { hostname: string; port: number },
  topic: string,
  limits: QueryLimits,
): Promise<string[]> {
  // Loaded when it is first needed: an nsqd without lookupds does without its megabytes.
  const { get } = await import("node:http");
  const body = await request(get, address, `/channels?topic=${encodeURIComponent(topic)}`, limits);
  const json: unknown = JSON.parse(body);
  const channels = typeof json === "object" && json !== null && "channels" in json
    ? json.channels
    : undefined;
  if (!Array.isArray(channels)) {
    throw new Error(`answer has no list of channels: ${JSON.stringify(body.slice(0, 200))}`);
  }
  return channels.filter((channel) => typeof channel === "string");
}

function request(
  get: typeof import("node:http").get,
  address: { hostname: string; port: number },
  path: string,
  limits: QueryLimits,
): Promise<string> {
  const { hostname, port } = address;
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/vnd.nsq; version=1.0" };
    // A connection of its own: topics are created rarely, and lookupd may have been restarted since.
    const query = get({ hostname, port, path, headers, agent: false });
    const abort = (what: string, timeoutMs: number) =>
      setTimeout(
        () => query.destroy(new Error(`${what} ${hostname}:${port} within ${timeoutMs} ms`)),
        timeoutMs,
      );
    const connecting = abort("no connection to", limits.connectTimeoutMs);
    const requesting = abort("no answer from", limits.requestTimeoutMs);
    const settle = () => {
      clearTimeout(connecting);
      clearTimeout(requesting);
    };
    query.on("socket", (socket) => socket.on("connect", () => clearTimeout(connecting)));
    query.on("response", (response) => {
      clearTimeout(connecting);
      readBody(response, limits.maxBodyBytes).then(resolve, reject).finally(() => {
        settle();
        query.destroy();
      });
    });
    query.on("error", (error) => {
      settle();
      reject(error);
    });
  });
}

async function readBody(response: IncomingMessage, maxBodyBytes: number): Promise<string> {
  if (response.statusCode !== 200) throw new Error(`answered status ${response.statusCode}`);
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    byteCount += chunk.length;
    if (byteCount > maxBodyBytes) throw new Error(`answer is longer than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
