/**
 * The endpoints under `/debug`: profiles in the format of pprof, and what goes with them.
 *
 *     go tool pprof http://127.0.0.1:4151/debug/pprof/profile?seconds=10
 *
 * The profilers and their library are loaded when they are first asked for.
 */
import { argv } from "node:process";
import { readBody, type RequestWithBody } from "../body.ts";
import { HttpError } from "../errors.ts";
import { Query } from "../query.ts";
import type { RequestContext, Route } from "../router.ts";
import type { TimedProfile } from "./profiles.ts";

const DEFAULT_PROFILE_SECONDS = 30;
const MAX_PROFILE_SECONDS = 3600;
/** A form of one number is not longer. */
const MAX_FORM_BYTES = 64 << 10;

/** What other implementations have under these names, and why it does not exist here. */
const WITHOUT_COUNTERPART: Record<string, string> = {
  goroutine: "there are no goroutines: one event loop serves all clients",
  block: "nothing waits for locks: one event loop serves all clients",
  threadcreate: "threads are the runtime's own, and it does not tell where they are created",
};

export interface DebugOptions {
  /** `/debug/pprof/`, or without the slash at the end: the spelling that others redirect to. */
  readonly indexPath: string;
  /** Lets go of memory that is kept for reuse. */
  readonly freeMemory?: () => void;
}

/** The profiles, which both nsqd and lookupd have. */
export function pprofRoutes({ indexPath }: DebugOptions): Route[] {
  const route = (path: string, handle: Route["handle"], method: Route["method"] = "GET"): Route => (
    { method, path, style: "plain", isLogged: false, handle }
  );
  return [
    route(indexPath, index),
    route("/debug/pprof/cmdline", () => argv.join("\0")),
    // Whoever reads a profile asks here for names of addresses; the profiles hold all names.
    route("/debug/pprof/symbol", () => "num_symbols: 0\n"),
    route("/debug/pprof/symbol", () => "num_symbols: 0\n", "POST"),
    route("/debug/pprof/profile", cpu),
    route("/debug/pprof/heap", heap),
    ...Object.entries(WITHOUT_COUNTERPART).map(([name, reason]) =>
      route(`/debug/pprof/${name}`, () => {
        throw new HttpError(501, `there is no ${name} profile: ${reason}\n`);
      })
    ),
  ];
}

/** All of nsqd's endpoints under `/debug`. */
export function debugRoutes(options: DebugOptions): Route[] {
  return [
    ...pprofRoutes(options),
    { method: "PUT", path: "/debug/setblockrate", style: "plain", handle: setBlockRate },
    { method: "POST", path: "/debug/freememory", style: "plain", handle: () => freeMemory(options) },
  ];
}

async function cpu({ query }: RequestContext): Promise<Response> {
  const durationMs = 1000 * (seconds(query) ?? DEFAULT_PROFILE_SECONDS);
  const { cpuProfile } = await import("./profiles.ts");
  return attachment("profile", after(durationMs, await cpuProfile(durationMs)));
}

async function heap({ query }: RequestContext): Promise<Response | string> {
  const sampledSeconds = seconds(query);
  const { allocationProfile, memoryProfile, memoryText } = await import("./profiles.ts");
  if (sampledSeconds !== undefined) {
    return attachment("heap", after(1000 * sampledSeconds, await allocationProfile()));
  }
  return (query.get("debug") ?? "0") === "0" ? attachment("heap", await memoryProfile()) : memoryText();
}

/** @throws {HttpError} 400 */
function seconds(query: Query): number | undefined {
  const text = query.get("seconds");
  if (text === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value > 0 && value <= MAX_PROFILE_SECONDS) return value;
  throw new HttpError(
    400,
    `cannot take a profile of seconds=${text}: it has to be over 0, at most ${MAX_PROFILE_SECONDS}`,
  );
}

/** Ends each of the profiles that are being taken. */
const enders = new Set<() => void>();

/** Has profiles that are being taken end now, with what they have: the process stops. */
export function endProfiles(): void {
  for (const end of [...enders]) end();
}

/** Yields the bytes of a profile once its time is over. It ends at once when nobody reads on. */
function after(durationMs: number, profile: TimedProfile): ReadableStream<Uint8Array<ArrayBuffer>> {
  const timeIsOver = Promise.withResolvers<void>();
  const timer = setTimeout(timeIsOver.resolve, durationMs);
  enders.add(timeIsOver.resolve);
  let isRunning = true;
  const settle = () => {
    isRunning = false;
    clearTimeout(timer);
    enders.delete(timeIsOver.resolve);
  };
  return new ReadableStream({
    async start(controller) {
      await timeIsOver.promise;
      settle();
      controller.enqueue(await profile.encode());
      controller.close();
    },
    cancel() {
      if (!isRunning) return;
      settle();
      profile.discard();
    },
  });
}

function attachment(name: string, body: BodyInit): Response {
  return new Response(body, {
    headers: {
      "Content-Type": "application/octet-stream",
      "Content-Disposition": `attachment; filename="${name}"`,
    },
  });
}

const PROFILES: readonly (readonly [target: string, text: string])[] = [
  ["profile?seconds=30", "where CPU time goes, for 30 seconds"],
  ["heap?debug=1", "memory of the process by kind; without debug=1 in the format of pprof"],
  ["heap?seconds=30", "what is allocated in 30 seconds and still in use then, by function"],
  ["cmdline", "the command line"],
];

function index(): Response {
  const entries = PROFILES.map(([target, text]) =>
    `<li><a href="/debug/pprof/${target}">${target}</a>: ${text}</li>`
  );
  const html = `<!DOCTYPE html>\n<html><head><title>/debug/pprof/</title></head><body>\n` +
    `<p>Profiles, for <code>go tool pprof</code> and other readers of its format:</p>\n` +
    `<ul>\n${entries.join("\n")}\n</ul>\n</body></html>\n`;
  return new Response(html, { headers: { "Content-Type": "text/html; charset=utf-8" } });
}

/** There is no block profile whose rate could be set; what would be refused elsewhere is refused here. */
async function setBlockRate({ request, query }: RequestContext): Promise<void> {
  const rate = await formValue(request, "rate") ?? query.get("rate") ?? "";
  if (!/^[+-]?\d+$/.test(rate)) {
    throw new HttpError(
      400,
      `invalid block rate : strconv.Atoi: parsing ${JSON.stringify(rate)}: invalid syntax`,
    );
  }
}

async function formValue(request: RequestWithBody, key: string): Promise<string | undefined> {
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) return undefined;
  const { bytes, isCut } = await readBody(request, MAX_FORM_BYTES);
  if (isCut) throw new HttpError(413, `the form is over ${MAX_FORM_BYTES} bytes`);
  return new Query(new TextDecoder().decode(bytes)).get(key);
}

async function freeMemory(options: DebugOptions): Promise<void> {
  options.freeMemory?.();
  const { collectGarbage } = await import("./inspector.ts");
  await collectGarbage();
}
