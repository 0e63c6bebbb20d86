/** `nsq pub` at work: each of its flags, and how it ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pubOptions } from "../../../src/tools/pub/pub_options.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { logTexts, runTool, ToolProcess } from "../tool_process.ts";

interface Scene {
  broker: TestBroker;
  /** Of this scene only, with the channel c. */
  topic: string;
  /** Where it is and the topic. */
  where: string[];
  /** The messages that wait in the channel. */
  taken(count: number): Promise<string[]>;
}

const acts: Record<string, (scene: Scene) => Promise<void>> = {
  "topic": async ({ where, taken }) => {
    const { code, stdout } = await runTool("to_nsq", where, "one\ntwo\n\nlast");
    assert.deepEqual([code, stdout, await taken(3)], [0, "", ["one", "two", "last"]]);
  },
  "nsqd-tcp-address": async ({ where, topic, taken }) => {
    await using other = await TestBroker.start();
    await other.createChannel(topic, "c");
    assert.equal((await runTool("pub", [...where, `--nsqd-tcp-address=${other.tcp}`], "a\nb\n")).code, 0);
    assert.deepEqual(await taken(2), ["a", "b"]);
    assert.equal((await other.channel(topic, "c"))!.depth, 2);
  },
  "delimiter": async ({ where, taken }) => {
    await runTool("pub", [...where, "--delimiter=|"], "a|b\nc|d");
    assert.deepEqual(await taken(3), ["a", "b\nc", "d"]);
  },
  "rate": async ({ where, taken }) => {
    const startMs = performance.now();
    const { stderr } = await runTool("pub", [...where, "--rate=20"], numbered("m", 11).join("\n"));
    // The first goes at once, ten more take half a second at least.
    assert.ok(performance.now() - startMs > 490);
    assert.ok(logTexts(stderr).includes("Throttling messages rate to max:20/second"), stderr);
    assert.equal((await taken(11)).length, 11);
  },
  "defer": async ({ broker, topic, where }) => {
    await runTool("pub", [...where, "--defer=10m"], "a\nb\n");
    assert.equal((await broker.channel(topic, "c"))!.deferred_count, 2);
  },
  "file": async ({ where, taken }) => {
    const directory = await Deno.makeTempDir({ prefix: "nsq-pub-" });
    try {
      const path = join(directory, "messages");
      await Deno.writeTextFile(path, "a\nb\n");
      const { code, stderr } = await runTool("pub", [...where, `--file=${path}`]);
      assert.equal(code, 0);
      assert.match(stderr, /published 2 messages/);
      assert.deepEqual(await taken(2), ["a", "b"]);
      for (const bad of [join(directory, "none"), directory]) {
        const refused = await runTool("pub", [...where, `--file=${bad}`]);
        assert.equal(refused.code, 1);
        assert.ok(
          logTexts(refused.stderr).at(-1)!.startsWith(`--file ${bad} cannot be read: `),
          refused.stderr,
        );
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
  "producer-opt": async ({ broker, topic, where }) => {
    await using pub = new ToolProcess("pub", [
      ...where,
      "--producer-opt=client_id,me",
      "--producer-opt=snappy",
    ]);
    await pub.write("a\n");
    await broker.untilChannel(topic, "c", "the message", ({ depth }) => depth === 1);
    const response = await fetch(`http://${broker.http}/stats?format=json`);
    const { producers } = await response.json();
    const [{ client_id: id, snappy, user_agent: agent }] = producers;
    assert.deepEqual([id, snappy, agent], ["me", true, "to_nsq/1.3.0 go-nsq/1.1.0"]);
  },
};

Deno.test("nsq pub: each flag acts", async (t) => {
  await using broker = await TestBroker.start();
  const flags = pubOptions.map(({ name }) => name).filter((name) => name !== "version" && name !== "config");
  assert.deepEqual(Object.keys(acts).sort(), [...flags].sort());
  for (const [index, [name, act]] of Object.entries(acts).entries()) {
    const topic = `topic_${index}`;
    await broker.createChannel(topic, "c");
    const taken = async (count: number) => {
      const where = [
        `--nsqd-tcp-address=${broker.tcp}`,
        `--topic=${topic}`,
        "--channel=c",
        "--json",
        `-n=${count}`,
      ];
      const { stdout } = await runTool("tail", where);
      return stdout.trim().split("\n").map((line) => JSON.parse(line).body);
    };
    const where = [`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`];
    await t.step(`--${name}`, () => act({ broker, topic, where, taken }));
  }
});

Deno.test("nsq pub publishes each line as it comes, and ends with 0 on a signal while it waits for more", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using pub = new ToolProcess("pub", ["--topic=orders", `--nsqd-tcp-address=${broker.tcp}`]);
    await pub.write("line\nhalf");
    await broker.untilChannel(
      "orders",
      "c",
      "the line",
      ({ depth }) => depth === (signal === "SIGTERM" ? 1 : 2),
    );
    assert.equal((await pub.stop(signal)).code, 0);
  }
});

Deno.test("nsq pub says what the broker refuses and how much it took before, and exits with 1", async () => {
  await using broker = await TestBroker.start();
  const where = ["--topic=orders", `--nsqd-tcp-address=${broker.tcp}`];
  const large = await runTool("pub", where, `a\n${"x".repeat(2 << 20)}\n`);
  assert.equal(large.code, 1);
  assert.match(logTexts(large.stderr).at(-1)!, /E_BAD_MESSAGE/);
  assert.match(large.stderr, /\d+ messages were confirmed before this/);
  const bad = await runTool("pub", ["--topic=bad!t", where[1]], "a\n");
  assert.equal(bad.code, 1);
  assert.match(logTexts(bad.stderr).at(-1)!, /topic name "?bad!t"? is not valid/);
  const away = await runTool("pub", ["--topic=orders", "--nsqd-tcp-address=127.0.0.1:1"], "a\n");
  assert.equal(away.code, 1);
  assert.match(logTexts(away.stderr).at(-1)!, /127\.0\.0\.1:1: connect: connection refused/);
});

Deno.test("nsq pub publishes a large input, each message once and in order", async () => {
  await using broker = await TestBroker.start();
  await broker.createChannel("orders", "c");
  const lines = numbered("message number ", 50_000);
  const { code } = await runTool(
    "pub",
    ["--topic=orders", `--nsqd-tcp-address=${broker.tcp}`],
    lines.join("\n"),
  );
  assert.equal(code, 0);
  const flags = ["--topic=orders", "--channel=c", `--nsqd-tcp-address=${broker.tcp}`, "-n=50000"];
  assert.deepEqual(
    (await runTool("tail", [...flags, "--max-in-flight=2500"])).stdout.trim().split("\n"),
    lines,
  );
});
