/** `nsq tail` at work: each of its flags, what it prints, and how it ends. */
import assert from "node:assert/strict";
import { tailOptions } from "../../../src/tools/tail/tail_options.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { logTexts, runTool, ToolProcess } from "../tool_process.ts";

interface Scene {
  broker: TestBroker;
  /** A topic of this scene only, with a, b and c waiting in the channel c. */
  topic: string;
  /** Runs with `flags` besides topic, channel and address. */
  run(...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
}

const acts: Record<string, (scene: Scene) => Promise<void>> = {
  "topic": async ({ broker, topic }) => {
    await broker.createChannel(`${topic}_2`, "c");
    await using tail = new ToolProcess("tail", [
      `--topic=${topic}`,
      `--topic=${topic}_2`,
      "--channel=c",
      `--nsqd-tcp-address=${broker.tcp}`,
    ]);
    await broker.publish(`${topic}_2`, "z");
    await tail.until("four lines", () => tail.stdout.split("\n").length === 5);
    assert.deepEqual(tail.stdout.trim().split("\n").sort(), ["a", "b", "c", "z"]);
    assert.match(tail.stderr, new RegExp(`Adding consumer for topic: ${topic}_2\n`));
  },
  "channel": async ({ broker, topic }) => {
    await using tail = new ToolProcess("nsq_tail", [`--topic=${topic}`, `--nsqd-tcp-address=${broker.tcp}`]);
    const own = () => /\[\S+\/(tail\d{6}#ephemeral)\]/.exec(tail.stderr)?.[1];
    await tail.until("a channel of its own", () => own() !== undefined);
    await broker.untilChannel(topic, own()!, "the consumer", ({ client_count: count }) => count === 1);
    // Another channel's messages stay where they are.
    assert.equal((await broker.channel(topic, "c"))!.depth, 3);
  },
  "n": async ({ run }) => {
    const { code, stdout } = await run("-n=2");
    assert.deepEqual([code, stdout], [0, "a\nb\n"]);
  },
  "filter": async ({ run, broker, topic }) => {
    assert.equal((await run("--filter=^[bx]$", "-n=1")).stdout, "b\n");
    assert.equal((await broker.channel(topic, "c"))!.depth, 1);
  },
  "print-topic": async ({ run, topic }) => {
    assert.equal((await run("--print-topic", "-n=1")).stdout, `${topic} | a\n`);
  },
  "json": async ({ run, topic, broker }) => {
    const [line] = (await run("--json", "-n=1")).stdout.trim().split("\n").map((text) => JSON.parse(text));
    assert.deepEqual([line.topic, line.body, line.attempts, line.nsqd], [topic, "a", 1, broker.tcp]);
    assert.match(line.id, /^[0-9a-f]{16}$/);
    assert.ok(Math.abs(Date.parse(line.time) - Date.now()) < 600_000, line.time);
  },
  "nsqd-tcp-address": async ({ run }) => {
    assert.equal((await run("-n=3")).stdout, "a\nb\nc\n");
  },
  "lookupd-http-address": async ({ broker, topic }) => {
    const flags = [`--topic=${topic}`, "--channel=c", "-n=3", `--lookupd-http-address=${broker.lookupd}`];
    assert.equal((await runTool("tail", flags)).stdout, "a\nb\nc\n");
  },
  "max-in-flight": async ({ broker, topic }) => {
    for (const [flags, count] of [[["--max-in-flight=7"], 7], [["--max-in-flight=7", "-n=4"], 4]] as const) {
      const all = [`--topic=${topic}`, "--channel=rdy", `--nsqd-tcp-address=${broker.tcp}`, ...flags];
      await using tail = new ToolProcess("tail", all);
      await broker.untilChannel(
        topic,
        "rdy",
        `RDY ${count}`,
        ({ clients }) =>
          (clients?.[0] as unknown as { ready_count: number } | undefined)?.ready_count === count,
      );
      await tail.stop();
    }
  },
  "consumer-opt": async ({ broker, topic }) => {
    const flags = [`--topic=${topic}`, "--channel=opt", `--nsqd-tcp-address=${broker.tcp}`];
    await using _ = new ToolProcess("tail", [
      ...flags,
      "--consumer-opt=sample-rate,50",
      "--consumer-opt=user_agent,x",
    ]);
    await broker.untilChannel(topic, "opt", "the client", ({ clients }) => clients?.[0]?.sample_rate === 50);
    const [client] = (await broker.channel(topic, "opt"))!.clients!;
    assert.equal(client.user_agent, "nsq_tail/1.3.0 go-nsq/1.1.0");
  },
};

Deno.test("nsq tail: each flag acts", async (t) => {
  await using broker = await TestBroker.start();
  const flags = tailOptions.map(({ name }) => name).filter((name) => name !== "version" && name !== "config");
  assert.deepEqual(Object.keys(acts).sort(), [...flags].sort());
  for (const [index, [name, act]] of Object.entries(acts).entries()) {
    const topic = `topic_${index}`;
    await broker.createChannel(topic, "c");
    await broker.publish(topic, "a", "b", "c");
    const run = (...more: string[]) =>
      runTool("tail", [`--topic=${topic}`, "--channel=c", `--nsqd-tcp-address=${broker.tcp}`, ...more]);
    await t.step(`--${name}`, () => act({ broker, topic, run }));
  }
});

Deno.test("nsq tail -n finishes what it showed, and leaves the rest as it was", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  await broker.publish("orders", ...numbered("m", 10));
  const flags = ["--topic=orders", "--channel=c", `--nsqd-tcp-address=${broker.tcp}`, "-n=4"];
  assert.equal((await runTool("tail", flags)).stdout, "m0\nm1\nm2\nm3\n");
  await broker.untilChannel(
    "orders",
    "c",
    "the rest",
    (counts) => counts.depth === 6 && counts.in_flight_count === 0,
  );
  assert.equal((await runTool("tail", flags)).stdout.split("\n").length, 5);
});

Deno.test("nsq tail ends with 0 on SIGTERM and SIGINT, having finished what it showed", async () => {
  await using broker = await TestBroker.start();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await broker.createChannel("orders", signal);
    await broker.publish("orders", "a");
    await using tail = new ToolProcess("tail", [
      "--topic=orders",
      `--channel=${signal}`,
      `--nsqd-tcp-address=${broker.tcp}`,
    ]);
    await tail.until("the message", () => tail.stdout.includes("a\n"));
    assert.equal((await tail.stop(signal)).code, 0);
    await broker.untilEmpty("orders", signal, 1);
  }
});

Deno.test("nsq tail ends with 0 on a signal that comes while it still waits for nsqd", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using tail = new ToolProcess("tail", [
    "--topic=t",
    `--nsqd-tcp-address=127.0.0.1:${silent.addr.port}`,
  ]);
  await tail.until("the start", () => tail.stderr.includes("Adding consumer"));
  assert.equal((await tail.stop()).code, 0);
});

Deno.test("nsq tail tells at the start that an nsqd cannot be reached, and exits with 1", async () => {
  const { code, stderr } = await runTool("tail", ["--topic=t", "--nsqd-tcp-address=127.0.0.1:1"]);
  assert.equal(code, 1);
  assert.equal(logTexts(stderr).at(-1), "dial tcp 127.0.0.1:1: connect: connection refused");
});

Deno.test("nsq tail ends with 1 when nobody reads what it prints, and gives the message back", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  const flags = ["--topic=orders", "--channel=c", `--nsqd-tcp-address=${broker.tcp}`];
  const shell = `${Deno.execPath()} run --no-prompt -A main.ts tail ${flags.join(" ")}`;
  const child = new Deno.Command("bash", {
    args: [
      "-c",
      `set -o pipefail; ${shell} 2>err.$$ | head -1; code=$?; cat err.$$ >&2; rm err.$$; exit $code`,
    ],
    cwd: new URL("../../..", import.meta.url),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  await broker.untilChannel("orders", "c", "the consumer", ({ client_count: count }) => count === 1);
  let isOver = false;
  ended.then(() => isOver = true);
  for (let i = 0; !isOver; i++) {
    await broker.publish("orders", `m${i}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { code, stdout, stderr } = await ended;
  assert.equal(new TextDecoder().decode(stdout), "m0\n");
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /ERROR: failed to write to os\.Stdout - [Bb]roken pipe/);
});
