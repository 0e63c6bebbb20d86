/** Transcripts of what consumers get: attempts, order of states, limits, time, and what a restart keeps. */
import assert from "node:assert/strict";
import { startNsqd } from "../support/running_nsqd.ts";
import { channelStats, until } from "./observe.ts";
import { bytes, mpub, WireClient, withBody } from "./wire_client.ts";

Deno.test("nsqd gives the first channel the backlog of its topic, and later ones what comes after", async () => {
  await using server = await startNsqd();
  using producer = await WireClient.open(server.tcpPort);
  assert.equal(await producer.ask(mpub("t", ["1", "2", "3"])), "response OK");
  using first = await WireClient.open(server.tcpPort);
  using second = await WireClient.open(server.tcpPort);
  await first.subscribe("t", "one", 10);
  await second.subscribe("t", "two", 10);
  assert.deepEqual(
    [(await first.message()).body, (await first.message()).body, (await first.message()).body],
    [
      "1",
      "2",
      "3",
    ],
  );
  assert.equal(await producer.ask(withBody("PUB t", "4")), "response OK");
  const [a, b] = [await first.message(), await second.message()];
  assert.deepEqual([a.body, b.body, a.id === b.id, a.attempts, b.attempts], ["4", "4", true, 1, 1]);
});

Deno.test("nsqd never has more in flight than RDY, and takes FIN, REQ and TOUCH after CLS", async () => {
  await using server = await startNsqd();
  using producer = await WireClient.open(server.tcpPort);
  await producer.ask(mpub("t", ["1", "2", "3", "4", "5"]));
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", 2);
  const first = await consumer.message(), second = await consumer.message();
  assert.equal((await channelStats(server)).in_flight_count, 2);
  await consumer.send(`FIN ${first.id}\n`);
  const third = await consumer.message();
  assert.equal(third.body, "3");
  assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT");
  await consumer.send(`RDY 10\nTOUCH ${second.id}\nREQ ${second.id} 0\nFIN ${third.id}\n`);
  await until("the answers after CLS", async () => {
    const stats = await channelStats(server);
    return stats.in_flight_count === 0 && stats.depth === 3 && stats.requeue_count === 1;
  });
  using next = await WireClient.open(server.tcpPort);
  await next.subscribe("t", "c", 10);
  const rest = [await next.message(), await next.message(), await next.message()];
  assert.deepEqual(rest.map(({ body, attempts }) => `${body}/${attempts}`).sort(), ["2/2", "4/1", "5/1"]);
});

Deno.test("nsqd redelivers what a consumer held when it disconnected, at once", async () => {
  await using server = await startNsqd();
  using producer = await WireClient.open(server.tcpPort);
  await producer.ask(withBody("PUB t", "held"));
  using other = await WireClient.open(server.tcpPort);
  {
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c", 1);
    assert.equal((await consumer.message()).attempts, 1);
    await other.subscribe("t", "c", 1);
  }
  const again = await other.message();
  assert.deepEqual([again.body, again.attempts], ["held", 2]);
});

Deno.test("nsqd redelivers a message whose timeout passed, and refuses the late FIN", async () => {
  await using server = await startNsqd();
  using producer = await WireClient.open(server.tcpPort);
  await producer.ask(withBody("PUB t", "slow"));
  using consumer = await WireClient.open(server.tcpPort);
  assert.equal(await consumer.ask(withBody("IDENTIFY", '{"msg_timeout":1000}')), "response OK");
  const subscribedAtMs = performance.now();
  await consumer.subscribe("t", "c", 1);
  const first = await consumer.message();
  const again = await consumer.message();
  assert.ok(performance.now() - subscribedAtMs >= 1000, "it came before its timeout");
  assert.deepEqual([again.id, again.attempts, again.timestampNs], [first.id, 2, first.timestampNs]);
  assert.equal((await channelStats(server)).timeout_count, 1);
  await consumer.send(`FIN ${again.id}\n`);
  assert.match(await consumer.ask(`FIN ${again.id}\n`), /^error E_FIN_FAILED .* failed ID not in flight$/);
});

Deno.test("nsqd delivers deferred messages in the order of their times, none early", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", 10);
  using producer = await WireClient.open(server.tcpPort);
  const startedAtMs = performance.now();
  await producer.ask(withBody("DPUB t 500", "late"));
  await producer.ask(withBody("DPUB t 200", "early"));
  await producer.ask(withBody("DPUB t 0", "now"));
  const arrivals: [string, number][] = [];
  for (let i = 0; i < 3; i++) {
    arrivals.push([(await consumer.message()).body, performance.now() - startedAtMs]);
  }
  assert.deepEqual(arrivals.map(([body]) => body), ["now", "early", "late"]);
  assert.ok(arrivals[1][1] >= 200 && arrivals[2][1] >= 500, JSON.stringify(arrivals));
});

Deno.test("nsqd takes commands split at any byte, and many in one piece", async () => {
  await using server = await startNsqd();
  const whole = bytes(
    "  V2",
    withBody("IDENTIFY", '{"client_id":"split","feature_negotiation":true}'),
    "SUB t c\r\nRDY 100\n",
    withBody("PUB t", "one"),
    mpub("t", ["two", "three"]),
    "NOP\n",
  );
  for (let cut = 1; cut < whole.length; cut += 3) {
    using client = await WireClient.open(server.tcpPort, "");
    await client.send(whole.subarray(0, cut));
    await client.send(whole.subarray(cut));
    const bodies: string[] = [];
    for (let oks = 0; oks < 4 || bodies.length < 3;) {
      const frame = (await client.frame())!;
      if (frame.type !== 2) oks++;
      else {
        bodies.push(new TextDecoder().decode(frame.data.subarray(26)));
        await client.send(bytes("FIN ", frame.data.subarray(10, 26), "\n"));
      }
    }
    assert.deepEqual(bodies.sort(), ["one", "three", "two"], `cut at ${cut}`);
    await until("the FINs", async () => (await channelStats(server)).in_flight_count === 0);
  }
});

Deno.test("nsqd sends heartbeats, and ends a connection that answers none", async () => {
  await using server = await startNsqd();
  using client = await WireClient.open(server.tcpPort);
  const startedAtMs = performance.now();
  assert.equal(await client.ask(withBody("IDENTIFY", '{"heartbeat_interval":1000}')), "response OK");
  let heartbeats = 0;
  for (let frame = await client.frame(); frame !== null; frame = await client.frame()) {
    assert.equal(frame.text, "_heartbeat_");
    heartbeats++;
  }
  assert.ok(heartbeats >= 1 && performance.now() - startedAtMs >= 1900, `${heartbeats} heartbeats`);
});

Deno.test("nsqd holds what is published while a topic or channel is paused", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", 10);
  for (const what of ["topic", "channel"]) {
    await server.http("POST", `/${what}/pause?topic=t&channel=c`);
    await server.http("POST", "/pub?topic=t", what);
    const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
    const depths = [topics[0].depth, topics[0].channels[0].depth];
    assert.deepEqual(depths, what === "topic" ? [1, 0] : [0, 1]);
    await server.http("POST", `/${what}/unpause?topic=t&channel=c`);
    assert.equal((await consumer.message()).body, what);
  }
});

Deno.test("nsqd ends the consumers of a deleted channel without a frame", async () => {
  await using server = await startNsqd();
  using consumer = await WireClient.open(server.tcpPort);
  await consumer.subscribe("t", "c", 1);
  await server.http("POST", "/channel/delete?topic=t&channel=c");
  assert.equal(await consumer.answer(), "closed");
});

Deno.test("nsqd drops ephemeral channels with their last consumer, and bounds what they hold", async () => {
  await using server = await startNsqd(["--mem-queue-size=5"]);
  using producer = await WireClient.open(server.tcpPort);
  {
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c#ephemeral", 0);
    assert.equal(await producer.ask(mpub("t", ["1", "2", "3", "4", "5", "6", "7"])), "response OK");
    await consumer.send("RDY 10\n");
    for (const body of ["1", "2", "3", "4", "5"]) assert.equal((await consumer.message()).body, body);
    await producer.ask(withBody("PUB t", "8"));
    assert.equal((await consumer.message()).body, "8");
  }
  await until("the end of the channel", async () => {
    const { topics } = JSON.parse(await server.http("GET", "/stats?format=json"));
    return topics[0].channels.length === 0;
  });
});

Deno.test("nsqd keeps attempts, due times and paused flags through a clean stop", async () => {
  const directory = await Deno.makeTempDir({ prefix: "nsqd-test-" });
  try {
    let dueAtMs = 0;
    {
      await using server = await startNsqd([], { directory });
      using consumer = await WireClient.open(server.tcpPort);
      await consumer.subscribe("t", "c", 10);
      using producer = await WireClient.open(server.tcpPort);
      await producer.ask(mpub("t", ["finished", "held", "requeued"]));
      const [finished, , requeued] = [
        await consumer.message(),
        await consumer.message(),
        await consumer.message(),
      ];
      await consumer.send(`FIN ${finished.id}\nREQ ${requeued.id} 0\n`);
      assert.equal((await consumer.message()).attempts, 2);
      await producer.ask(withBody("DPUB t 1500", "deferred"));
      dueAtMs = performance.now() + 1500;
      await server.http("POST", "/channel/pause?topic=t&channel=c");
    }
    await using server = await startNsqd([], { directory });
    const stats = await channelStats(server);
    assert.deepEqual([stats.paused, stats.depth, stats.deferred_count], [true, 2, 1]);
    await server.http("POST", "/channel/unpause?topic=t&channel=c");
    using consumer = await WireClient.open(server.tcpPort);
    await consumer.subscribe("t", "c", 10);
    const messages = [await consumer.message(), await consumer.message()];
    assert.deepEqual(messages.map(({ body, attempts }) => `${body}/${attempts}`).sort(), [
      "held/2",
      "requeued/3",
    ]);
    assert.equal((await consumer.message()).body, "deferred");
    assert.ok(performance.now() >= dueAtMs - 5, "the deferred message came early");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
