/** `nsq to-http` at work: each of its flags, and servers that are slow, fail, or are not there. */
import assert from "node:assert/strict";
import { toHttpOptions } from "../../../src/tools/to_http/to_http_options.ts";
import { toHttpTool } from "../../../src/tools/to_http/to_http.ts";
import { until } from "../../support/program_process.ts";
import { type StartedTool, startTool } from "../started_tool.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { ToolProcess } from "../tool_process.ts";
import { HttpTarget } from "./http_target.ts";

const CHANNEL = "nsq_to_http";
/** Tests do not wait for the pauses that failures make. */
const HASTY = ["--consumer-opt=default_requeue_delay,10ms", "--consumer-opt=max_backoff_duration,0"];

interface Scene {
  broker: TestBroker;
  /** Of this scene only, with a, b and c waiting in the channel nsq_to_http. */
  topic: string;
  start(...flags: string[]): Promise<StartedTool>;
  finished(count?: number): Promise<void>;
}

const acts: Record<string, (scene: Scene) => Promise<void>> = {
  "topic": async ({ start, finished }) => {
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`);
    await finished();
    assert.deepEqual(target.bodies.sort(), ["a", "b", "c"]);
  },
  "channel": async ({ broker, topic, start }) => {
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`, "--channel=other");
    await broker.untilChannel(topic, "other", "a consumer", ({ client_count: count }) => count === 1);
    assert.equal((await broker.channel(topic, CHANNEL))!.depth, 3);
  },
  "nsqd-tcp-address": async ({ start, finished }) => {
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`);
    await finished();
  },
  "lookupd-http-address": async ({ broker, topic, finished }) => {
    await using target = new HttpTarget();
    await using _ = await startTool(
      toHttpTool,
      `--topic=${topic}`,
      `--lookupd-http-address=${broker.lookupd}`,
      `--post=${target.url}`,
    );
    await finished();
  },
  "max-in-flight": async ({ broker, topic, start }) => {
    await using target = new HttpTarget(() =>
      new Promise<number>((resolve) => setTimeout(resolve, 100, 200))
    );
    await using _ = await start(`--post=${target.url}`, "--max-in-flight=2");
    await broker.untilChannel(
      topic,
      CHANNEL,
      "RDY 2",
      (counts) => (counts.clients?.[0] as unknown as { ready_count: number } | undefined)?.ready_count === 2,
    );
    await until("all three", () => target.received.length === 3);
    assert.ok(target.mostRunning <= 2);
  },
  "n": async ({ broker, topic, start, finished }) => {
    await broker.publish(topic, ...numbered("m", 20));
    let messages = 0;
    for (const [n, most] of [[1, 1], [4, 4]]) {
      await using target = new HttpTarget(() =>
        new Promise<number>((resolve) => setTimeout(resolve, 20, 200))
      );
      const tool = await start(`--post=${target.url}`, `-n=${n}`);
      await finished(messages += 23);
      await tool[Symbol.asyncDispose]();
      assert.equal(target.mostRunning, most);
      await broker.publish(topic, ...numbered("m", 23));
    }
  },
  "post": async ({ start, finished }) => {
    await using target = new HttpTarget(() => 201);
    await using _ = await start(`--post=${target.url}path?q=1`);
    await finished();
    const [{ method, path }] = target.received;
    assert.deepEqual([method, path], ["POST", "/path?q=1"]);
  },
  "get": async ({ broker, topic, start, finished }) => {
    await broker.publish(topic, "he llo&x%");
    await using target = new HttpTarget();
    await using _ = await start(`--get=${target.url}p?m=%s&n=%%`);
    await finished(4);
    const paths = target.received.map(({ method, path }) => `${method} ${path}`).sort();
    assert.deepEqual(paths, [
      "GET /p?m=a&n=%",
      "GET /p?m=b&n=%",
      "GET /p?m=c&n=%",
      "GET /p?m=he+llo%26x%25&n=%",
    ]);
  },
  "mode": async ({ broker, topic, start, finished }) => {
    await broker.publish(topic, "d");
    const counts: Record<string, number[]> = {};
    let messages = 0;
    for (const mode of ["round-robin", "hostpool", "epsilon-greedy", "multicast"]) {
      await using one = new HttpTarget();
      await using two = new HttpTarget();
      const tool = await start(`--post=${one.url}`, `--post=${two.url}`, `--mode=${mode}`, "-n=1");
      await finished(messages += 4);
      await tool[Symbol.asyncDispose]();
      counts[mode] = [one.received.length, two.received.length];
      await broker.publish(topic, "a", "b", "c", "d");
    }
    const { "epsilon-greedy": greedy, ...others } = counts;
    assert.deepEqual(others, { "round-robin": [2, 2], "hostpool": [2, 2], "multicast": [4, 4] });
    assert.equal(greedy[0] + greedy[1], 4);
  },
  "sample": async ({ broker, topic, start, finished }) => {
    await broker.publish(topic, ...numbered("m", 397));
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`, "--sample=0.5");
    await finished(400);
    assert.ok(target.received.length > 100 && target.received.length < 300, String(target.received.length));
    await using none = new HttpTarget();
    await using __ = await start(`--post=${none.url}`, "--sample=0", "--channel=none");
    await broker.publish(topic, "z");
    await broker.untilEmpty(topic, "none", 1);
    assert.equal(none.received.length, 0);
  },
  "header": async ({ start, finished }) => {
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`, "--header=X-A: b:c", "--header=User-Agent: me");
    await finished();
    const { headers } = target.received[0];
    assert.deepEqual([headers.get("x-a"), headers.get("user-agent")], ["b:c", "me"]);
  },
  "content-type": async ({ start, finished, broker, topic }) => {
    const types: (string | null)[] = [];
    const agents: (string | null)[] = [];
    for (const [flags, messages] of [[[], 3], [["--content-type=text/plain"], 4]] as const) {
      await using target = new HttpTarget();
      const tool = await start(`--post=${target.url}`, ...flags);
      await finished(messages);
      await tool[Symbol.asyncDispose]();
      types.push(target.received[0].headers.get("content-type"));
      agents.push(target.received[0].headers.get("user-agent"));
      await broker.publish(topic, "a");
    }
    assert.deepEqual(types, ["application/octet-stream", "text/plain"]);
    assert.deepEqual(agents, ["nsq_to_http v1.3.0", "nsq_to_http v1.3.0"]);
  },
  "http-client-connect-timeout": async ({ start, finished }) => {
    await using target = new HttpTarget();
    // That zero is no limit shows that the flag arrives: taken as a time it would let no connection through.
    await using _ = await start(`--post=${target.url}`, "--http-client-connect-timeout=0");
    await finished();
    assert.equal(target.received.length, 3);
    await assert.rejects(
      () => start(`--post=${target.url}`, "--http-client-connect-timeout=-1s"),
      /not be negative/,
    );
  },
  "http-client-request-timeout": async ({ broker, topic, start }) => {
    await using target = new HttpTarget((_, count) =>
      count > 3 ? 200 : new Promise((resolve) => setTimeout(resolve, 300, 200))
    );
    await using _ = await start(`--post=${target.url}`, "--http-client-request-timeout=50ms", ...HASTY);
    await broker.untilEmpty(topic, CHANNEL, 3);
    assert.equal((await broker.channel(topic, CHANNEL))!.requeue_count, 3);
  },
  "status-every": async ({ broker, topic, start, finished }) => {
    await broker.publish(topic, ...numbered("m", 18));
    await using one = new HttpTarget();
    await using two = new HttpTarget();
    await using tool = await start(
      `--post=${one.url}`,
      `--post=${two.url}`,
      "--mode=round-robin",
      "--status-every=6",
    );
    await finished(21);
    const lines = () => tool.lines.map((line) => line.replace(/[\d.]+(?:ms|µs)/g, "T"));
    const per = (name: string) => `[${name}]: finished 7 - 99th: T - 95th: T - avg: T`;
    await until("the lines", () => lines().filter((line) => line === per("aggregate")).length === 3);
    assert.ok(lines().includes(per(one.url)));
    assert.ok(
      lines().includes(
        "Warning: use more than 100 status values for accurate percentiles (configured with 6)",
      ),
    );
  },
  "consumer-opt": async ({ broker, topic, start }) => {
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`, "--consumer-opt=client_id,me", "--channel=opt");
    await broker.untilChannel(topic, "opt", "the client", ({ clients }) => clients?.[0]?.client_id === "me");
    const [{ user_agent: agent }] = (await broker.channel(topic, "opt"))!.clients!;
    assert.equal(agent, "nsq_to_http/1.3.0 go-nsq/1.1.0");
  },
};

let topicCount = 0;

async function inScene(broker: TestBroker, act: (scene: Scene) => Promise<void>): Promise<void> {
  const topic = `topic_${topicCount++}`;
  await broker.createChannel(topic, CHANNEL);
  await broker.publish(topic, "a", "b", "c");
  const start = (...flags: string[]) =>
    startTool(toHttpTool, `--topic=${topic}`, `--nsqd-tcp-address=${broker.tcp}`, ...flags);
  await act({ broker, topic, start, finished: (count = 3) => broker.untilEmpty(topic, CHANNEL, count) });
}

Deno.test("nsq to-http: each flag acts", async (t) => {
  await using broker = await TestBroker.start();
  const flags = toHttpOptions.map(({ name }) => name).filter((name) =>
    name !== "version" && name !== "config"
  );
  assert.deepEqual(Object.keys(acts).sort(), [...flags].sort());
  for (const [name, act] of Object.entries(acts)) {
    await t.step(`--${name}`, () => inScene(broker, act));
  }
});

Deno.test("nsq to-http sends a message again until the server takes it, and follows redirects", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ start, finished }) => {
    const failures = [500, 404, 307, 503];
    await using target = new HttpTarget(({ path }, count) =>
      path === "/moved" ? 200 : failures[count - 1] ?? 200
    );
    await using _ = await start(`--post=${target.url}`, "-n=1", ...HASTY, "--consumer-opt=max_attempts,0");
    await finished();
    const taken = new Set(target.bodies.slice(failures.length - 1));
    assert.ok(taken.has("a") && taken.has("b") && taken.has("c"));
    assert.ok(target.received.some(({ path }) => path === "/moved"));
  });
});

Deno.test("nsq to-http gives a message up after its attempts, and says so; 0 never does", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ start, finished, topic, broker }) => {
    await using target = new HttpTarget(({ body }) => body === "b" ? 500 : 200);
    const tool = await start(`--post=${target.url}`, ...HASTY, "--consumer-opt=max_attempts,3");
    await finished();
    await tool[Symbol.asyncDispose]();
    assert.equal(target.bodies.filter((body) => body === "b").length, 4);
    const lost = tool.lines.filter((line) =>
      /^ERROR: msg [0-9a-f]{16} attempted 4 times, giving up: got status code 500$/.test(line)
    );
    assert.equal(lost.length, 1, tool.lines.join("\n"));

    await broker.publish(topic, "b");
    const patient = await start(`--post=${target.url}`, ...HASTY, "--consumer-opt=max_attempts,0");
    await until("many attempts", () => target.bodies.filter((body) => body === "b").length > 14);
    await patient[Symbol.asyncDispose]();
    assert.deepEqual(patient.lines, []);
    const { depth, deferred_count: deferred } = (await broker.channel(topic, CHANNEL))!;
    assert.equal(depth + deferred, 1);
  });
});

Deno.test("nsq to-http in hostpool mode leaves out a server that fails", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ start, finished, topic, broker }) => {
    await broker.publish(topic, ...numbered("m", 97));
    await using good = new HttpTarget();
    await using bad = new HttpTarget(() => 500);
    await using _ = await start(`--post=${bad.url}`, `--post=${good.url}`, "-n=1", ...HASTY);
    await finished(100);
    assert.equal(bad.received.length, 1);
    assert.equal(good.received.length, 100);
  });
});

Deno.test("nsq to-http in multicast mode sends to the others again when one fails", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ start, finished }) => {
    await using good = new HttpTarget();
    await using flaky = new HttpTarget((_, count) => count === 1 ? 500 : 200);
    await using _ = await start(
      `--post=${good.url}`,
      `--post=${flaky.url}`,
      "--mode=multicast",
      "-n=1",
      ...HASTY,
    );
    await finished();
    assert.equal(good.received.length, 4);
    assert.equal(flaky.received.length, 4);
  });
});

Deno.test("nsq to-http on SIGTERM waits for the answers, and gives back what it has not sent", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ topic, broker }) => {
    let answer: (status: number) => void = () => {};
    await using target = new HttpTarget((_, count) =>
      count > 1 ? 200 : new Promise<number>((resolve) => answer = resolve)
    );
    await using tool = new ToolProcess("nsq_to_http", [
      `--topic=${topic}`,
      `--nsqd-tcp-address=${broker.tcp}`,
      `--post=${target.url}`,
      "-n=1",
      "--max-in-flight=1",
    ]);
    await until("the first request", () => target.received.length === 1);
    tool.signal("SIGTERM");
    await broker.untilChannel(
      topic,
      CHANNEL,
      "the end of consuming",
      ({ clients }) => (clients?.[0] as unknown as { state: number } | undefined)?.state === 4,
    );
    answer(200);
    assert.equal((await tool.ended()).code, 0);
    const { depth, in_flight_count: inFlight } = (await broker.channel(topic, CHANNEL))!;
    assert.deepEqual([depth, inFlight, target.received.length], [2, 0, 1]);
  });
});

Deno.test("nsq to-http goes on when nsqd was killed and started again", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ start, topic, broker }) => {
    const bodies = numbered("m", 2_000);
    await broker.publish(topic, ...bodies);
    await using target = new HttpTarget();
    await using _ = await start(`--post=${target.url}`, "--consumer-opt=lookupd_poll_interval,100ms");
    await until("some", () => target.received.length > 200);
    await broker.restart();
    await until("all", () => {
      const got = new Set(target.bodies);
      return bodies.every((body) => got.has(body));
    });
  });
});
