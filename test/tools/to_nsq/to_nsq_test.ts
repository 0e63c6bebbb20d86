/** `nsq to-nsq` at work: each of its flags, and destinations that are not there. */
import assert from "node:assert/strict";
import { toNsqOptions } from "../../../src/tools/to_nsq/to_nsq_options.ts";
import { toNsqTool } from "../../../src/tools/to_nsq/to_nsq.ts";
import { until } from "../../support/program_process.ts";
import { type StartedTool, startTool } from "../started_tool.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { runTool, ToolProcess } from "../tool_process.ts";

const CHANNEL = "nsq_to_nsq";
const HASTY = ["--consumer-opt=default_requeue_delay,10ms", "--consumer-opt=max_backoff_duration,0"];

interface Scene {
  broker: TestBroker;
  /** Two destinations. */
  one: TestBroker;
  two: TestBroker;
  /** Of this scene only, with a, b and c waiting in the channel nsq_to_nsq. */
  topic: string;
  /** Forwards to the first destination. */
  start(...flags: string[]): Promise<StartedTool>;
  finished(count?: number): Promise<void>;
}

/** The messages that a destination got. */
async function arrived(destination: TestBroker, topic: string): Promise<string[]> {
  const depth = await destination.topicDepth(topic);
  if (depth === 0) return [];
  const flags = [
    `--topic=${topic}`,
    "--channel=look",
    `--nsqd-tcp-address=${destination.tcp}`,
    `-n=${depth}`,
  ];
  const { stdout } = await runTool("tail", [...flags, "--json"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line).body).sort();
}

const acts: Record<string, (scene: Scene) => Promise<void>> = {
  "topic": async ({ broker, one, topic, start, finished }) => {
    await broker.createChannel(`${topic}_2`, CHANNEL);
    await broker.publish(`${topic}_2`, "z");
    await using _ = await start(`--topic=${topic}_2`);
    await finished();
    await broker.untilEmpty(`${topic}_2`, CHANNEL, 1);
    assert.deepEqual([await arrived(one, topic), await arrived(one, `${topic}_2`)], [["a", "b", "c"], ["z"]]);
  },
  "channel": async ({ broker, topic, start }) => {
    await using _ = await start("--channel=other");
    await broker.untilChannel(topic, "other", "a consumer", ({ client_count: count }) => count === 1);
    assert.equal((await broker.channel(topic, CHANNEL))!.depth, 3);
  },
  "destination-topic": async ({ one, topic, start, finished }) => {
    await using _ = await start(`--destination-topic=to_${topic}`);
    await finished();
    assert.equal(await one.topicDepth(`to_${topic}`), 3);
  },
  "nsqd-tcp-address": async ({ start, finished }) => {
    await using _ = await start();
    await finished();
  },
  "lookupd-http-address": async ({ broker, one, topic, finished }) => {
    const flags = [`--lookupd-http-address=${broker.lookupd}`, `--destination-nsqd-tcp-address=${one.tcp}`];
    await using _ = await startTool(toNsqTool, `--topic=${topic}`, ...flags);
    await finished();
    assert.equal(await one.topicDepth(topic), 3);
  },
  "destination-nsqd-tcp-address": async ({ one, two, topic, start, finished }) => {
    await using _ = await start(`--destination-nsqd-tcp-address=${two.tcp}`);
    await finished();
    const depths = [await one.topicDepth(topic), await two.topicDepth(topic)];
    assert.equal(depths[0] + depths[1], 3);
    assert.ok(depths[0] > 0 && depths[1] > 0, String(depths));
  },
  "max-in-flight": async ({ broker, topic, start }) => {
    await using _ = await start("--max-in-flight=7", "--channel=rdy");
    await broker.untilChannel(
      topic,
      "rdy",
      "RDY 7",
      ({ clients }) => (clients?.[0] as unknown as { ready_count: number } | undefined)?.ready_count === 7,
    );
  },
  "mode": async ({ broker, one, topic, finished }) => {
    const flags = [`--nsqd-tcp-address=${broker.tcp}`, "--destination-nsqd-tcp-address=127.0.0.1:1"];
    let messages = 0;
    const failures: number[] = [];
    for (const mode of ["hostpool", "round-robin"]) {
      {
        await using _ = await startTool(
          toNsqTool,
          `--topic=${topic}`,
          `--mode=${mode}`,
          "--max-in-flight=1",
          `--destination-nsqd-tcp-address=${one.tcp}`,
          ...flags,
          ...HASTY,
        );
        await finished(messages += 3);
      }
      failures.push((await broker.channel(topic, CHANNEL))!.requeue_count);
      await broker.publish(topic, "a", "b", "c");
    }
    // One try tells hostpool which of the two answers; round-robin never learns.
    assert.equal(failures[0], 1);
    assert.ok(failures[1] > 2, String(failures));
    assert.equal(await one.topicDepth(topic), 6);
  },
  "status-every": async ({ start, finished }) => {
    await using tool = await start("--status-every=2");
    await finished();
    await until(
      "the line",
      () =>
        tool.lines.some((line) =>
          /^\[aggregate\]: finished 3 - 99th: \S+ - 95th: \S+ - avg: \S+$/.test(line)
        ),
    );
  },
  "require-json-field": async ({ broker, one, topic, start, finished }) => {
    await broker.publish(topic, '{"f":1}', '{"g":1}');
    await using tool = await start("--require-json-field=f");
    await finished(5);
    assert.deepEqual(await arrived(one, topic), ['{"f":1}']);
    assert.ok(tool.lines.includes("ERROR: Unable to decode json: a"), tool.lines.join("\n"));
  },
  "require-json-value": async ({ broker, one, topic, start }) => {
    await broker.publish(topic, '{"f":"x"}', '{"f":"y"}', '{"g":1}');
    await using tool = await start("--require-json-field=f", "--require-json-value=x", ...HASTY);
    await until(
      "the end of the one without the field",
      () => tool.lines.some((line) => /^ERROR: msg \S+ attempted 6 times, giving up: backoff$/.test(line)),
    );
    await broker.untilEmpty(topic, CHANNEL, 6);
    assert.deepEqual(await arrived(one, topic), ['{"f":"x"}']);
    assert.equal(
      tool.lines.filter((line) => line === "ERROR: missing field to check required value").length,
      6,
    );
  },
  "whitelist-json-field": async ({ broker, one, topic, start, finished }) => {
    await broker.publish(topic, '{"c":"x", "a":1, "b":2.50}');
    await using _ = await start("--whitelist-json-field=b", "--whitelist-json-field=a");
    await finished(4);
    assert.deepEqual(await arrived(one, topic), ['{"a":1,"b":2.5}']);
  },
  "consumer-opt": async ({ broker, topic, start }) => {
    await using _ = await start("--consumer-opt=client_id,me", "--channel=opt");
    await broker.untilChannel(topic, "opt", "the client", ({ clients }) => clients?.[0]?.client_id === "me");
  },
  "producer-opt": async ({ one, start, finished }) => {
    await using _ = await start("--producer-opt=client_id,publisher", "--producer-opt=deflate");
    await finished();
    const { producers } = await (await fetch(`http://${one.http}/stats?format=json`)).json();
    const own = producers.find(({ client_id: id }: { client_id: string }) => id === "publisher");
    assert.deepEqual([own.deflate, own.user_agent], [true, "nsq_to_nsq/1.3.0 go-nsq/1.1.0"]);
  },
};

let topicCount = 0;

async function inScene(
  [broker, one, two]: TestBroker[],
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const topic = `topic_${topicCount++}`;
  await broker.createChannel(topic, CHANNEL);
  await broker.publish(topic, "a", "b", "c");
  const start = (...flags: string[]) =>
    startTool(
      toNsqTool,
      `--topic=${topic}`,
      `--nsqd-tcp-address=${broker.tcp}`,
      `--destination-nsqd-tcp-address=${one.tcp}`,
      ...flags,
    );
  await act({
    broker,
    one,
    two,
    topic,
    start,
    finished: (count = 3) => broker.untilEmpty(topic, CHANNEL, count),
  });
}

Deno.test("nsq to-nsq: each flag acts", async (t) => {
  await using broker = await TestBroker.start();
  await using one = await TestBroker.start();
  await using two = await TestBroker.start();
  const flags = toNsqOptions.map(({ name }) => name).filter((name) =>
    name !== "version" && name !== "config"
  );
  assert.deepEqual(Object.keys(acts).sort(), [...flags].sort());
  for (const [name, act] of Object.entries(acts)) {
    await t.step(`--${name}`, () => inScene([broker, one, two], act));
  }
});

Deno.test("nsq to-nsq loses nothing when source and destination are killed and started again", async () => {
  await using broker = await TestBroker.start();
  await using one = await TestBroker.start();
  await inScene([broker, one, one], async ({ start, topic }) => {
    const bodies = numbered("m", 20_000);
    await broker.publish(topic, ...bodies.slice(0, 10_000));
    await using _ = await start(
      ...HASTY,
      "--consumer-opt=lookupd_poll_interval,100ms",
      "--consumer-opt=max_attempts,0",
    );
    await until("some", async () => await one.topicDepth(topic) > 100);
    await one.restart();
    await broker.restart();
    await broker.publish(topic, ...bodies.slice(10_000));
    await broker.untilEmpty(topic, CHANNEL, 0);
    const got = new Set(await arrived(one, topic));
    assert.equal(bodies.filter((body) => !got.has(body)).length, 0);
  });
});

Deno.test("nsq to-nsq ends with 0 on SIGTERM, and has published what it finished", async () => {
  await using broker = await TestBroker.start();
  await using one = await TestBroker.start();
  await inScene([broker, one, one], async ({ topic }) => {
    await broker.publish(topic, ...numbered("m", 20_000));
    await using tool = new ToolProcess("nsq_to_nsq", [
      `--topic=${topic}`,
      `--nsqd-tcp-address=${broker.tcp}`,
      `--destination-nsqd-tcp-address=${one.tcp}`,
    ]);
    await until("some", async () => await one.topicDepth(topic) > 100);
    assert.equal((await tool.stop()).code, 0);
    const { depth, in_flight_count: inFlight } = (await broker.channel(topic, CHANNEL))!;
    assert.equal(inFlight, 0);
    assert.equal(depth + await one.topicDepth(topic), 20_003);
  });
});
