import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Bodies, Tally } from "../../../src/tools/bench/load.ts";
import { type BenchResult, formatResults } from "../../../src/tools/bench/report.ts";
import { until } from "../../support/program_process.ts";
import { TestBroker } from "../test_broker.ts";
import { logTexts, runTool, ToolProcess } from "../tool_process.ts";

const CERTIFICATES = fileURLToPath(new URL("../../support/certificates/", import.meta.url));

interface Report {
  nsqd: string;
  nsqd_version: string;
  batch: number;
  results: BenchResult[];
}

async function topicsOf(broker: TestBroker): Promise<string[]> {
  const { topics } = await (await fetch(`http://${broker.http}/stats?format=json`)).json();
  return (topics ?? []).map(({ topic_name: name }: { topic_name: string }) => name);
}

Deno.test("nsq bench measures every kind of work over every kind of connection, and leaves no topic behind", async () => {
  await using broker = await TestBroker.start(
    `--tls-cert=${CERTIFICATES}server.pem`,
    `--tls-key=${CERTIFICATES}server_key.pem`,
    "--https-address=127.0.0.1:0",
  );
  const flags = [
    `--nsqd-tcp-address=${broker.tcp}`,
    `--nsqd-http-address=${broker.http}`,
    "--work=all",
    "--over=all",
    "--duration=100ms",
    "--rate=200",
    "--size=100",
    "--batch=10",
    "--json",
  ];
  const { code, stdout, stderr } = await runTool("bench", flags);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  const report: Report = JSON.parse(stdout);
  assert.deepEqual([report.nsqd, report.nsqd_version, report.batch], [broker.tcp, "1.3.0", 10]);
  const rows = ["plain", "tls", "deflate", "snappy"].flatMap((over) =>
    ["publish", "consume", "both", "latency"].map((work) => `${work} ${over}`)
  );
  assert.deepEqual(report.results.map(({ work, over }) => `${work} ${over}`), rows);
  for (
    const { work, over, messages, latency_ms: latency, messages_per_second: rate, seconds } of report.results
  ) {
    assert.ok(messages > 0 && rate > 0 && seconds > 0, `${work} ${over}`);
    assert.equal(latency !== null, work === "both" || work === "latency", `${work} ${over}`);
    if (latency !== null) {
      assert.ok(latency.p50 > 0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
    }
    // However long the machine stalls, the rate never saves up more than a second's worth.
    if (work === "latency") assert.ok(messages <= 2 * 200, `${messages} messages at 200 a second`);
  }
  assert.deepEqual(await topicsOf(broker), []);
});

Deno.test("nsq bench prints a table that tells what was measured", () => {
  const result: BenchResult = {
    work: "both",
    over: "plain",
    messages: 1_234_567,
    size_bytes: 200,
    seconds: 2.5,
    messages_per_second: 493_826.8,
    mebibytes_per_second: 94.19,
    latency_ms: { p50: 1.234, p95: 4, p99: 12.34, max: 100 },
  };
  const subject = {
    nsqd: "a:4150",
    nsqd_version: "1.3.0",
    publishers: 4,
    consumers: 3,
    batch: 200,
    max_in_flight: 2_500,
    runtime: "deno",
  };
  const publish: BenchResult = { ...result, work: "publish", latency_ms: null };
  assert.deepEqual(formatResults(subject, [result, publish], false).split("\n"), [
    "nsqd 1.3.0 at a:4150: 200 bytes, 4 publishers (batches of 200), 3 consumers (2500 in flight)",
    "work     over    messages  seconds    msg/s  MiB/s  p50 ms  p95 ms  p99 ms  max ms",
    "both     plain  1,234,567     2.50  493,827   94.2    1.23    4.00    12.3   100.0",
    "publish  plain  1,234,567     2.50  493,827   94.2       -       -       -       -",
  ]);
});

Deno.test("nsq bench uses the topic, the connections and the client options that are given", async () => {
  await using broker = await TestBroker.start();
  await using bench = new ToolProcess("bench", [
    `--nsqd-tcp-address=${broker.tcp}`,
    "--topic=mine",
    "--duration=30s",
    "--publishers=3",
    "--consumers=2",
    "--max-in-flight=7",
    "--client-opt=client_id,me",
  ]);
  await broker.untilChannel(
    "mine",
    "bench",
    "the consumers",
    ({ clients }) =>
      clients?.length === 2 &&
      clients.every((client) =>
        client.client_id === "me" && (client as unknown as { ready_count: number }).ready_count === 7
      ),
  );
  await until("the publishers", async () => {
    const { producers } = await (await fetch(`http://${broker.http}/stats?format=json`)).json();
    return producers?.length === 3;
  });
  const { code, stdout } = await bench.stop();
  assert.equal(code, 0);
  // What was measured up to the signal is shown.
  assert.match(stdout, /^both +plain +[\d,]+ /m);
  assert.deepEqual(await topicsOf(broker), ["mine"]);
});

Deno.test("nsq bench says what it cannot measure", async () => {
  const table: [string[], RegExp][] = [
    [["--work=nothing"], /^--work "nothing": use publish, consume, both, latency or all$/],
    [["--over=rope"], /^--over "rope": use plain, tls, deflate, snappy or all$/],
    [["--size=1"], /^--size must be from 8 to 16MiB, is 1$/],
    [["--nsqd-tcp-address=127.0.0.1:1"], /127\.0\.0\.1:1: connect: connection refused$/],
  ];
  await Promise.all(table.map(async ([flags, text]) => {
    const { code, stderr } = await runTool("bench", flags);
    assert.equal(code, 1);
    assert.match(logTexts(stderr).at(-1)!, text);
  }));
});

Deno.test("Bodies are of the size that was asked for, differ, and carry the time in their first bytes", () => {
  for (const size of [8, 9, 200]) {
    const bodies = new Bodies(3, size);
    bodies.stamp();
    assert.deepEqual(bodies.views.map((view) => view.length), [size, size, size]);
    const tally = new Tally();
    for (const view of bodies.views) tally.arrived(view);
    const [fastest] = tally.percentiles([0])!;
    assert.ok(fastest >= 0 && fastest < 1_000, String(fastest));
    if (size === 200) assert.notDeepEqual(bodies.views[0].subarray(8), bodies.views[1].subarray(8));
  }
});
