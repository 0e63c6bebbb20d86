/** What tests of the console share: nodes that answer what they are told to, and a console over them. */
import { type AdminSurroundings, runAdmin, type RunningAdmin } from "../../src/admin/admin.ts";
import { Logger } from "../../src/log/logger.ts";
import { type AdminOptions, adminOptions } from "../../src/options/tables/admin_options.ts";
import { resolveOptions } from "../../src/options/merge.ts";

/** JSON, or what makes a response. */
export type Answer = unknown | ((request: Request) => Response | Promise<Response>);

/** An HTTP server with fixed answers, by `METHOD /path` or `/path` for GET, the query left out. */
export class FakeNode implements AsyncDisposable {
  /** `METHOD /path?query` of each request, in order. */
  readonly requests: string[] = [];
  readonly bodies: string[] = [];
  readonly answers: Record<string, Answer>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #ending = Promise.withResolvers<void>();

  constructor(answers: Record<string, Answer>) {
    this.answers = answers;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Those of the requests that change something. */
  get posts(): string[] {
    return this.requests.filter((request) => request.startsWith("POST "));
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.requests.push(`${request.method} ${pathname}${search}`);
    if (request.method === "POST") this.bodies.push(await request.text());
    const key = request.method === "GET" ? pathname : `${request.method} ${pathname}`;
    const answer = this.answers[key];
    if (answer === undefined) return Response.json({ message: "NOT_FOUND" }, { status: 404 });
    if (typeof answer !== "function") return Response.json(answer);
    return await Promise.race([
      answer(request),
      this.#ending.promise.then(() => new Response(null, { status: 503 })),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Also those that wait for an answer are let go.
    this.#ending.resolve();
    await this.#server.shutdown();
  }
}

/** Answers with an error of a node. */
export function refuse(status: number, message: string): () => Response {
  return () => Response.json({ message }, { status });
}

/** An address at which nobody listens. */
export function deadAddress(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return `127.0.0.1:${port}`;
}

/** How a lookupd of Go describes an nsqd. */
export function goProducer(port: number, extra: object = {}) {
  return {
    remote_address: `127.0.0.1:${port + 10_000}`,
    hostname: "vm",
    broadcast_address: "127.0.0.1",
    tcp_port: port - 1,
    http_port: port,
    version: "1.3.0",
    ...extra,
  };
}

/** The statistics of an nsqd of Go, version 1.3.0. */
export function goStats(...topics: unknown[]) {
  return { version: "1.3.0", health: "OK", start_time: 1_795_390_600, topics, producers: [] };
}

export function goTopic(name: string, channels: unknown[] = [], extra: object = {}) {
  return {
    topic_name: name,
    channels,
    depth: 0,
    backend_depth: 0,
    message_count: 3,
    message_bytes: 15,
    paused: false,
    e2e_processing_latency: { count: 0, percentiles: null },
    ...extra,
  };
}

export function goChannel(name: string, extra: object = {}) {
  return {
    channel_name: name,
    depth: 0,
    backend_depth: 0,
    in_flight_count: 0,
    deferred_count: 0,
    message_count: 3,
    requeue_count: 0,
    timeout_count: 0,
    client_count: 0,
    clients: [],
    paused: false,
    e2e_processing_latency: { count: 0, percentiles: null },
    ...extra,
  };
}

export interface TestAdmin extends AsyncDisposable {
  readonly admin: RunningAdmin;
  readonly url: string;
  /** Lines of the log so far. */
  readonly lines: string[];
  request(method: string, path: string, body?: string, headers?: HeadersInit): Promise<Response>;
  /** `status body` */
  ask(method: string, path: string, body?: string, headers?: HeadersInit): Promise<string>;
}

export function optionsOf(flags: readonly string[]): AdminOptions {
  const program = { name: "nsqadmin", summary: "", versionText: "" };
  const resolved = resolveOptions<typeof adminOptions>(adminOptions, flags, program);
  if (resolved.kind === "exit") throw new Error(resolved.text);
  return resolved.values;
}

/** Starts a console on a free port that asks nobody while nobody looks. */
export async function startAdmin(
  flags: readonly string[],
  surroundings: AdminSurroundings = {},
): Promise<TestAdmin> {
  const lines: string[] = [];
  const logger = new Logger("debug", "", (line) => lines.push(line));
  const options = optionsOf(["--http-address=127.0.0.1:0", "--history-interval=0", ...flags]);
  const admin = await runAdmin(options, logger, { mountPages: () => {}, ...surroundings });
  const url = `http://${admin.httpAddress}`;
  const request = (method: string, path: string, body?: string, headers?: HeadersInit) =>
    fetch(`${url}${path}`, { method, body, headers, redirect: "manual" });
  return {
    admin,
    url,
    lines,
    request,
    async ask(method, path, body, headers) {
      const response = await request(method, path, body, headers);
      return `${response.status} ${await response.text()}`;
    },
    async [Symbol.asyncDispose]() {
      await admin.stop();
      await admin.done;
    },
  };
}
