/**
 * Measures the pieces of the broker, and whole broker processes over loopback sockets.
 *
 *     deno task bench [flags]
 *
 *     --rows a,b       only these: names of rows or micro-benchmarks, or the groups `micro`, `end_to_end` and
 *                      `client`; default micro,end_to_end
 *     --levels a,b     durability levels of the broker processes; default memory,os,disk
 *     --seconds n      load of each row, default 2; a micro-benchmark takes a quarter of it
 *     --repeat n       passes over the rows, default 3; the tables show medians
 *     --json file      also writes what was measured as JSON
 *
 * Each pass measures the sink (`sink.ts`) and then every level, so that a ratio to the sink holds when the
 * machine gets slower or faster meanwhile; an absolute figure does not.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { brokerBenchmarks } from "./broker_bench.ts";
import { CLIENT_ROWS, type ClientResults, measureClients } from "./client/client_rows.ts";
import { measureBroker, measureSink, type Results, ROWS } from "./end_to_end.ts";
import { type Benchmark, measure, type Measurement } from "./measure.ts";
import { protocolBenchmarks } from "./protocol_bench.ts";
import {
  formatClientResults,
  formatMeasurements,
  formatResults,
  medianClientResults,
  medianResults,
} from "./report.ts";
import type { Level } from "./server_process.ts";
import { storageBenchmarks } from "./storage_bench.ts";

const LEVELS: readonly Level[] = ["memory", "os", "disk"];
const MICRO: readonly Benchmark[] = [...protocolBenchmarks, ...storageBenchmarks, ...brokerBenchmarks];
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  micro: MICRO.map((benchmark) => benchmark.name),
  end_to_end: ROWS,
  client: CLIENT_ROWS,
};

interface Settings {
  rows: ReadonlySet<string>;
  levels: readonly Level[];
  seconds: number;
  repeat: number;
  jsonPath: string | undefined;
}

/** By server: `sink` and the levels. */
type Servers = Record<string, Results>;

function readSettings(args: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: "string", default: "micro,end_to_end" },
      levels: { type: "string", default: LEVELS.join() },
      seconds: { type: "string", default: "2" },
      repeat: { type: "string", default: "3" },
      json: { type: "string" },
    },
  });
  const known = [...Object.keys(GROUPS), ...Object.values(GROUPS).flat()];
  const names = pick("--rows", values.rows, known);
  return {
    rows: new Set(names.flatMap((name) => GROUPS[name] ?? [name])),
    levels: pick("--levels", values.levels, LEVELS) as Level[],
    seconds: positive("--seconds", values.seconds),
    repeat: Math.ceil(positive("--repeat", values.repeat)),
    jsonPath: values.json,
  };
}

function pick(flag: string, text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  for (const name of names) {
    if (!known.includes(name)) throw new Error(`${flag}: there is no "${name}", only ${known.join(", ")}`);
  }
  return names;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag}: "${text}" is no number above 0`);
  return value;
}

async function runMicro(settings: Settings): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const benchmark of MICRO) {
    if (!settings.rows.has(benchmark.name)) continue;
    console.error(`${benchmark.name} ...`);
    measurements.push(await measure(benchmark, settings.seconds * 1000 / 4));
  }
  return measurements;
}

async function runEndToEnd({ rows, levels, seconds, repeat }: Settings): Promise<Servers> {
  const isWanted = (row: string) => rows.has(row);
  if (!ROWS.some(isWanted)) return {};
  const passes: Record<string, Results[]> = {};
  const add = (server: string, results: Results) => (passes[server] ??= []).push(results);
  for (let pass = 1; pass <= repeat; pass++) {
    console.error(`sink, pass ${pass} of ${repeat} ...`);
    add("sink", await measureSink(isWanted, seconds));
    for (const level of levels) {
      console.error(`broker at level ${level}, pass ${pass} of ${repeat} ...`);
      add(level, await measureBroker(level, isWanted, seconds));
    }
  }
  return Object.fromEntries(Object.entries(passes).map(([server, all]) => [server, medianResults(all)]));
}

async function runClients({ rows, seconds, repeat }: Settings): Promise<ClientResults> {
  const isWanted = (row: string) => rows.has(row);
  if (!CLIENT_ROWS.some(isWanted)) return {};
  const passes: ClientResults[] = [];
  for (let pass = 1; pass <= repeat; pass++) {
    console.error(`clients, pass ${pass} of ${repeat} ...`);
    passes.push(await measureClients(isWanted, seconds));
  }
  return medianClientResults(passes);
}

function show(measurements: Measurement[], servers: Servers, clients: ClientResults): void {
  if (measurements.length > 0) console.log(formatMeasurements(measurements));
  for (const [server, results] of Object.entries(servers)) {
    if (Object.keys(results).length === 0) continue;
    const title = server === "sink" ? "Sink" : `Broker, --durability=${server}`;
    console.log(`\n${title}\n\n${formatResults(results, server === "sink" ? {} : servers.sink)}`);
  }
  if (Object.keys(clients).length > 0) {
    console.log(`\nClients, --durability=os\n\n${formatClientResults(clients)}`);
  }
}

/** @throws when a row did not get every message: its other figures mean nothing then */
function checkNothingLost(servers: Servers): void {
  for (const [server, results] of Object.entries(servers)) {
    for (const [row, { lost = 0 }] of Object.entries(results)) {
      if (lost !== 0) throw new Error(`${row} at level ${server}: ${lost} messages were lost`);
    }
  }
}

async function run(args: string[]): Promise<void> {
  const settings = readSettings(args);
  const machine = {
    date: new Date().toISOString(),
    cpu: `${cpus()[0]?.model ?? "unknown"}, ${navigator.hardwareConcurrency} cores`,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
    command: ["deno task bench", ...args].join(" "),
  };
  console.log(Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join("\n") + "\n");
  const micro = await runMicro(settings);
  const endToEnd = await runEndToEnd(settings);
  const clients = await runClients(settings);
  show(micro, endToEnd, clients);
  if (settings.jsonPath !== undefined) {
    await Deno.writeTextFile(
      settings.jsonPath,
      JSON.stringify({ machine, micro, endToEnd, clients }, null, 2) + "\n",
    );
  }
  checkNothingLost(endToEnd);
}

try {
  await run(Deno.args);
} catch (cause) {
  console.error(`bench: ${(cause as Error).message}`);
  Deno.exit(1);
}
