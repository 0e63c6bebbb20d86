import assert from "node:assert/strict";
import { until } from "../../support/program_process.ts";
import { header } from "../../../src/tools/stat/plain_rows.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { logTexts, runTool, ToolProcess } from "../tool_process.ts";

const ROW = / *(-?\d+) +(-?\d+) \| +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) \| +(\d+) +(\d+) +(\d+) +(\d+)/;

/** The numbers of each row. */
function rowsOf(stdout: string): number[][] {
  return stdout.split("\n").map((line) => ROW.exec(line)).filter((match) => match !== null)
    .map((match) => match.slice(1).map(Number));
}

Deno.test("nsq stat prints a header, then a row for each interval, and ends after --count", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  await broker.publish("orders", ...numbered("m", 4));
  for (const where of [`--nsqd-http-address=${broker.http}`, `--lookupd-http-address=${broker.lookupd}`]) {
    const flags = ["--topic=orders", "--channel=c", "--interval=50ms", "--count=3", where];
    const { code, stdout, stderr } = await runTool("nsq_stat", flags);
    const row =
      "      0       0 |       4       4       0     0     0 |       0       0            4       0";
    assert.deepEqual({ code, stdout, stderr }, {
      code: 0,
      stdout: `${header}\n${`${row}\n`.repeat(3)}`,
      stderr: "",
    });
  }
});

Deno.test("nsq stat shows what comes and goes a second, and repeats the header after 25 looks", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  await using stat = new ToolProcess("stat", [
    "--topic=orders",
    "--channel=c",
    "--interval=100ms",
    `--nsqd-http-address=${broker.http}`,
  ]);
  await stat.until("the header", () => stat.stdout.startsWith(header));
  await broker.publish("orders", ...numbered("m", 1_000));
  await stat.until("what was published", () => rowsOf(stat.stdout).some((row) => row[0] > 0));
  const moving = rowsOf(stat.stdout).find((row) => row[0] > 0)!;
  assert.equal(moving[1], 0);
  assert.deepEqual(moving.slice(2), [1_000, 1_000, 0, 0, 0, 0, 0, 1_000, 0]);
  // A thousand in one interval of at least a tenth of a second.
  assert.ok(moving[0] > 100 && moving[0] <= 10_500, String(moving[0]));
  await stat.until("the second header", () => stat.stdout.split(header).length === 3);
  assert.equal(rowsOf(stat.stdout.slice(0, stat.stdout.lastIndexOf(header))).length, 24);
  assert.equal((await stat.stop("SIGINT")).code, 0);
});

Deno.test("nsq stat ends with 0 on SIGTERM, SIGINT and SIGHUP", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  const ends = ["SIGTERM", "SIGINT", "SIGHUP"].map(async (signal) => {
    const flags = ["--topic=orders", "--channel=c", "--interval=1h", `--nsqd-http-address=${broker.http}`];
    await using stat = new ToolProcess("stat", flags);
    await stat.until("the header", () => stat.stdout.startsWith(header));
    return (await stat.stop(signal as Deno.Signal)).code;
  });
  assert.deepEqual(await Promise.all(ends), [0, 0, 0]);
});

Deno.test("nsq stat --json tells all channels that match, one on each line", async () => {
  await using broker = await TestBroker.start();
  for (const channel of ["c", "d"]) await broker.createChannel("orders", channel);
  await broker.createChannel("mails", "m");
  await broker.publish("orders", "a");
  const flags = ["--json", "--interval=50ms", "--count=1", `--lookupd-http-address=${broker.lookupd}`];
  const all = (await runTool("stat", flags)).stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(all.map(({ topic, channel, depth }) => [topic, channel, depth]), [
    ["mails", "m", 0],
    ["orders", "c", 1],
    ["orders", "d", 1],
  ]);
  assert.match(all[0].time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const one = (await runTool("stat", [...flags, "--topic=orders", "--channel=d"])).stdout.trim().split("\n");
  assert.deepEqual(one.map((line) => JSON.parse(line).channel), ["d"]);
});

Deno.test("nsq stat says in NSQ's words what it cannot find, and exits with 1", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  const what = (channel: string) => ["--topic=orders", `--channel=${channel}`, "--interval=50ms"];
  const table: [string[], RegExp][] = [
    [
      [...what("none"), `--nsqd-http-address=${broker.http}`],
      /^ERROR: failed to find channel\(none\) in stats metadata for topic\(orders\)$/,
    ],
    [
      [...what("c"), "--nsqd-http-address=127.0.0.1:1"],
      /^ERROR: failed to get nsqd stats - 127\.0\.0\.1:1: ./,
    ],
    [
      [...what("c"), "--lookupd-http-address=127.0.0.1:1"],
      /^ERROR: failed to get topic producers - .*dial tcp 127\.0\.0\.1:1: connect: connection refused/,
    ],
    // At the start an address that does not answer is probably not what was meant.
    [
      [...what("c"), `--nsqd-http-address=${broker.http}`, "--nsqd-http-address=127.0.0.1:1"],
      /^ERROR: failed to get nsqd stats - 127\.0\.0\.1:1: ./,
    ],
  ];
  await Promise.all(table.map(async ([flags, text]) => {
    const { code, stderr } = await runTool("stat", flags);
    assert.equal(code, 1);
    assert.match(logTexts(stderr).at(-1)!, text);
  }));
});

Deno.test("nsq stat gives up an nsqd that does not answer in time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const flags = ["--topic=t", "--channel=c", `--nsqd-http-address=127.0.0.1:${listener.addr.port}`];
  const { code, stderr } = await runTool("stat", [...flags, "--http-client-request-timeout=50ms"]);
  assert.equal(code, 1);
  assert.match(stderr, /no reply .*within 50 ms/);
});

Deno.test("nsq stat goes on while one of several nsqds is away, and says so once", async () => {
  await using broker = await TestBroker.start();
  const other = await TestBroker.start();
  try {
    for (const one of [broker, other]) await one.createChannel("orders", "c");
    await using stat = new ToolProcess("stat", [
      "--topic=orders",
      "--channel=c",
      "--interval=50ms",
      `--nsqd-http-address=${broker.http}`,
      `--nsqd-http-address=${other.http}`,
    ]);
    await stat.until("a row", () => rowsOf(stat.stdout).length > 0);
    await broker.publish("orders", "a", "b");
    await other.publish("orders", "c");
    await stat.until("the sum of both", () => rowsOf(stat.stdout).at(-1)![2] === 3);
    await other[Symbol.asyncDispose]();
    await stat.until("what is left", () => rowsOf(stat.stdout).at(-1)![2] === 2);
    const before = rowsOf(stat.stdout).length;
    await until("more rows", () => rowsOf(stat.stdout).length > before + 3);
    assert.equal(rowsOf(stat.stdout).every((row) => row[0] >= 0), true);
    assert.equal(stat.stderr.split("WARNING: left out").length, 2, stat.stderr);
  } finally {
    // It may be gone already.
    await other[Symbol.asyncDispose]().catch(() => {});
  }
});
