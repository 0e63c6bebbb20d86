import assert from "node:assert/strict";
import { json } from "../../../src/client/codec.ts";
import { ConnectionError, DecodeError, MessageError, OptionError } from "../../../src/client/errors.ts";
import { Consumer } from "../../../src/client/consumer/consumer.ts";
import type { Message } from "../../../src/client/consumer/message.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { type FakeClient, FakeNode } from "../support/fake_node.ts";

/** A node that delivers `bodies` once RDY lets it, and keeps the answers. */
function delivering(bodies: readonly string[], agreement: Record<string, unknown> = {}, attempts = 1) {
  const left = [...bodies], answers: string[] = [];
  let nextId = 1;
  const settings = {
    agreement,
    onCommand(client: FakeClient, { line }: { line: string }) {
      if (/^(FIN|REQ|TOUCH) /.test(line)) answers.push(line);
      if (!/^RDY [1-9]/.test(line)) return;
      for (let free = Number(line.slice(4)); free > 0 && left.length > 0; free--) {
        client.deliver(left.shift()!, attempts, nextId++);
      }
    },
  };
  return { settings, answers };
}

const id = (n: number) => n.toString(16).padStart(16, "0");

Deno.test("Consumer hands out messages in a loop, and leaving it closes the consumer", async () => {
  await using server = await startNsqd();
  for (const body of ["a", "b", "c"]) await server.http("POST", "/pub?topic=orders", body);
  const consumer = new Consumer("orders", "mail", { nsqd: `127.0.0.1:${server.tcpPort}`, maxInFlight: 10 });
  const bodies: string[] = [];
  for await (const message of consumer) {
    bodies.push(message.text());
    message.finish();
    if (bodies.length === 3) break;
  }
  assert.deepEqual(bodies, ["a", "b", "c"]);
  assert.deepEqual(consumer.stats(), {
    connections: 0,
    inFlight: 0,
    received: 3,
    finished: 3,
    requeued: 0,
    lost: 0,
  });
});

Deno.test("Consumer gives back the message of a loop that throws, and the queue behind it, at once", async () => {
  const node = delivering(["a", "b"]);
  await using fake = await FakeNode.start(node.settings);
  const consumer = new Consumer("orders", "mail", { nsqd: fake.address, maxInFlight: 2 });
  await assert.rejects(async () => {
    for await (const _message of consumer) throw new Error("of the loop");
  }, /of the loop/);
  assert.deepEqual(node.answers.sort(), [`REQ ${id(1)} 0`, `REQ ${id(2)} 0`]);
});

Deno.test("Consumer.run() finishes what its handler handles, and requeues what it throws at", async () => {
  const node = delivering(["good", "thrown", "rejected", "answered", "later"]);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", {
    nsqd: fake.address,
    maxInFlight: 5,
    maxBackoffMs: 0,
    defaultRequeueDelayMs: 1000,
  });
  const errors: Error[] = [];
  consumer.on("error", (error) => errors.push(error));
  let later: Message | undefined;
  consumer.run((message) => {
    const body = message.text();
    if (body === "thrown") throw new Error("thrown");
    if (body === "answered") message.requeue({ delay: 7 });
    if (body === "later") {
      message.detach();
      later = message;
    }
    return body === "rejected" ? Promise.reject(new Error("rejected")) : null;
  });
  while (node.answers.length < 4) await fake.changed();
  assert.deepEqual(node.answers.sort(), [
    `FIN ${id(1)}`,
    `REQ ${id(2)} 1000`,
    `REQ ${id(3)} 1000`,
    `REQ ${id(4)} 7`,
  ]);
  assert.deepEqual(errors.map(({ message }) => message).sort(), ["rejected", "thrown"]);
  assert.equal(later?.finish(), true);
  assert.equal(later?.finish(), false);
});

Deno.test("Consumer.run() handles as many messages at a time as concurrency says", async () => {
  const node = delivering(["1", "2", "3", "4", "5"]);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address, maxInFlight: 5 });
  let active = 0, most = 0, handled = 0;
  const done = new Promise<void>((resolve) =>
    consumer.run(async () => {
      most = Math.max(most, ++active);
      await new Promise((turn) => setTimeout(turn, 1));
      active--;
      if (++handled === 5) resolve();
    }, { concurrency: 2 })
  );
  await done;
  assert.equal(most, 2);
});

Deno.test("Consumer.readable hands out the same messages, and cancelling it closes the consumer", async () => {
  const node = delivering(["a", "b", "c"]);
  await using fake = await FakeNode.start(node.settings);
  const consumer = new Consumer("orders", "mail", { nsqd: fake.address, maxInFlight: 3 });
  const reader = consumer.readable.getReader();
  const bodies: string[] = [];
  for (let i = 0; i < 2; i++) {
    const { value } = await reader.read();
    bodies.push(value!.text());
    value!.finish();
  }
  await reader.cancel();
  await consumer.close();
  assert.deepEqual(bodies, ["a", "b"]);
  assert.deepEqual(node.answers, [`FIN ${id(1)}`, `FIN ${id(2)}`, `REQ ${id(3)} 0`]);
});

Deno.test("Consumer never has more than maxInFlight in hand, and 0 pauses it", async () => {
  await using server = await startNsqd();
  await server.http("POST", "/mpub?topic=orders", Array.from({ length: 50 }, (_, i) => `${i}`).join("\n"));
  await using consumer = new Consumer("orders", "mail", {
    nsqd: `127.0.0.1:${server.tcpPort}`,
    maxInFlight: 7,
  });
  let most = 0, taken = 0;
  const paused = Promise.withResolvers<void>(), done = Promise.withResolvers<void>();
  consumer.run(async (message) => {
    most = Math.max(most, consumer.stats().inFlight);
    await new Promise((turn) => setTimeout(turn, 1));
    message.finish();
    if (++taken === 20) {
      consumer.maxInFlight = 0;
      paused.resolve();
    }
    if (taken === 50) done.resolve();
  });
  await paused.promise;
  while (consumer.stats().inFlight > 0) await new Promise((turn) => setTimeout(turn, 5));
  const before = taken;
  assert.ok(before < 30, `${before} were taken`);
  await server.http("GET", "/ping");
  assert.equal(taken, before);
  consumer.maxInFlight = 3;
  await done.promise;
  assert.equal(most, 7);
});

Deno.test("Consumer with maxAttempts needs onGiveUp, which gets what was delivered too often", async () => {
  const options = { nsqd: "127.0.0.1:1", maxAttempts: 5 };
  assert.throws(
    () => new Consumer("orders", "mail", options),
    (error: Error) => error instanceof OptionError && /onGiveUp/.test(error.message),
  );
  const node = delivering(["poison"], {}, 6);
  await using fake = await FakeNode.start(node.settings);
  const given: string[] = [], seen: string[] = [];
  await using consumer = new Consumer("orders", "mail", {
    ...options,
    nsqd: fake.address,
    onGiveUp: (message) => void given.push(`${new TextDecoder().decode(message.body)} ${message.attempts}`),
  });
  consumer.on("giveUp", (message) => seen.push(message.id));
  consumer.run(() => assert.fail("the handler must not see it"));
  await fake.command(({ line }) => line === `FIN ${id(1)}`);
  assert.deepEqual(given, ["poison 6"]);
  assert.deepEqual(seen, [id(1)]);
});

Deno.test("Consumer requeues a body that does not decode, or gives it to onUndecodable", async () => {
  for (const hasHandler of [false, true]) {
    const node = delivering(["{", '{"id":7}']);
    await using fake = await FakeNode.start(node.settings);
    const outcomes: string[] = [];
    await using consumer = new Consumer("orders", "mail", {
      nsqd: fake.address,
      maxInFlight: 2,
      codec: json<{ id: number }>(),
      defaultRequeueDelayMs: 5000,
      ...(hasHandler ? { onUndecodable: (_, error) => void outcomes.push(error.name) } : {}),
    });
    consumer.on("undecodable", (message, error) => {
      assert.ok(error instanceof DecodeError);
      outcomes.push(message.text());
    });
    consumer.run((message) => void outcomes.push(`id ${message.value.id}`));
    while (node.answers.length < 2) await fake.changed();
    assert.deepEqual(
      node.answers.sort(),
      hasHandler ? [`FIN ${id(1)}`, `FIN ${id(2)}`] : [`FIN ${id(2)}`, `REQ ${id(1)} 5000`],
    );
    assert.deepEqual(outcomes, hasHandler ? ["{", "DecodeError", "id 7"] : ["{", "id 7"]);
  }
});

Deno.test("message.signal aborts at the timeout of the message, and late answers only return false", async () => {
  const node = delivering(["slow"], { msg_timeout: 50 });
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  const iterator = consumer[Symbol.asyncIterator]();
  const message = (await iterator.next()).value!;
  await new Promise<void>((resolve) => message.signal.addEventListener("abort", () => resolve()));
  assert.ok(message.signal.reason instanceof MessageError);
  assert.equal(message.signal.reason.code, "ERR_NSQ_MESSAGE_TIMEOUT");
  assert.deepEqual([message.finish(), message.requeue(), message.touch()], [false, false, false]);
  assert.deepEqual(node.answers, []);
});

Deno.test("message.signal aborts with its connection, and the consumer connects again", async () => {
  const node = delivering(["a", "b"]);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address, reconnectDelayMs: 5 });
  const iterator = consumer[Symbol.asyncIterator]();
  const message = (await iterator.next()).value!;
  const { signal } = message;
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  fake.clients[0].socket.destroy();
  await aborted;
  assert.equal(signal.reason.code, "ERR_NSQ_MESSAGE_LOST");
  assert.equal(message.finish(), false);
  const next = (await iterator.next()).value!;
  assert.equal(next.text(), "b");
  next.finish();
});

Deno.test("message.signal aborts at the deadline of close(), which gives the message back", async () => {
  const node = delivering(["slow"]);
  await using fake = await FakeNode.start(node.settings);
  const consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  const message = (await consumer[Symbol.asyncIterator]().next()).value!;
  const { signal } = message;
  await consumer.close({ timeoutMs: 20 });
  assert.equal(signal.reason.code, "ERR_NSQ_MESSAGE_CLOSED");
  await fake.command(({ line }) => line === `REQ ${id(1)} 0`);
});

Deno.test("Consumer with touch auto keeps a message while its handler works, up to the node's maximum", async () => {
  const node = delivering(["slow"], { msg_timeout: 800, max_msg_timeout: 1800 });
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address, touch: "auto" });
  const startedMs = performance.now();
  const aborted = new Promise<number>((resolve) =>
    consumer.run((message) =>
      new Promise<void>((done) =>
        message.signal.addEventListener("abort", () => {
          resolve(performance.now() - startedMs);
          done();
        })
      )
    )
  );
  const afterMs = await aborted;
  const touches = node.answers.filter((line) => line === `TOUCH ${id(1)}`).length;
  assert.ok(touches >= 2, `${touches} touches`);
  assert.ok(afterMs >= 1799, `the signal aborted after ${afterMs} ms`);
});

Deno.test("A late FIN fails that call only: the node's error is an event, and the consumer goes on", async () => {
  await using server = await startNsqd();
  await using consumer = new Consumer("orders", "mail", {
    nsqd: `127.0.0.1:${server.tcpPort}`,
    maxInFlight: 2,
  });
  const errors: Error[] = [];
  consumer.on("error", (error) => errors.push(error));
  const iterator = consumer[Symbol.asyncIterator]();
  await server.http("POST", "/pub?topic=orders", "a");
  const first = (await iterator.next()).value!;
  await server.http("POST", "/channel/empty?topic=orders&channel=mail");
  assert.equal(first.finish(), true);
  await server.http("POST", "/pub?topic=orders", "b");
  const second = (await iterator.next()).value!;
  assert.equal(second.text(), "b");
  assert.equal(second.finish(), true);
  assert.match(errors[0].message, /E_FIN_FAILED FIN .* ID not in flight/);
});

Deno.test("Consumer backs off after a failure: all nodes stop, then one message is tried, then all is well", async () => {
  const lines: string[] = [];
  let delivered = 0;
  await using fake = await FakeNode.start({
    onCommand(client, { line }) {
      if (!/^(RDY|FIN|REQ)/.test(line)) return;
      lines.push(line.slice(0, line.startsWith("RDY") ? undefined : 3));
      if (/^RDY [1-9]/.test(line)) client.deliver("x", 1, ++delivered);
    },
  });
  await using consumer = new Consumer("orders", "mail", {
    nsqd: fake.address,
    maxInFlight: 5,
    backoffMultiplierMs: 10,
  });
  const levels: number[] = [];
  const well = new Promise<void>((resolve) =>
    consumer.on("backoff", ({ level, waitMs }) => {
      if (waitMs > 0 || level === 0) levels.push(level);
      if (level === 0) resolve();
    })
  );
  let count = 0;
  consumer.run((message) => {
    if (++count <= 2) message.requeue();
  });
  await well;
  while (lines.at(-1) !== "RDY 5" && lines.at(-1) !== "FIN") await fake.changed();
  assert.deepEqual(levels, [1, 2, 1, 0]);
  assert.deepEqual(lines.slice(0, 9), [
    "RDY 5",
    "REQ",
    "RDY 0",
    "RDY 1",
    "REQ",
    "RDY 0",
    "RDY 1",
    "FIN",
    "RDY 0",
  ]);
});

Deno.test("Consumer.requeue() without backoff leaves the pace alone", async () => {
  const node = delivering(["a"]);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  let changes = 0;
  consumer.on("backoff", () => changes++);
  consumer.run((message) => void message.requeue({ delay: 30, backoff: false }));
  await fake.command(({ line }) => line === `REQ ${id(1)} 30`);
  assert.equal(changes, 0);
});

Deno.test("Consumer.close() from every state ends, and is the same promise", async () => {
  await using silent = await FakeNode.start({ onCommand: () => true });
  const idle = new Consumer("orders", "mail", { nsqd: silent.address });
  assert.equal(idle.close(), idle.close());
  await idle.close();
  assert.equal((await idle[Symbol.asyncIterator]().next()).done, true);
  await idle.run(() => {});
  const connecting = new Consumer("orders", "mail", { nsqd: silent.address });
  const ready = connecting.ready();
  await silent.command(({ line }) => line === "IDENTIFY");
  await connecting.close();
  await ready;
  const node = delivering(["a"]);
  await using fake = await FakeNode.start(node.settings);
  const subscribed = new Consumer("orders", "mail", { nsqd: fake.address });
  const over = subscribed.run((message) => message.finish());
  await fake.command(({ line }) => line.startsWith("FIN"));
  await subscribed.close();
  await over;
  await fake.command(({ line }) => line === "CLS");
});

Deno.test("Consumer.close() in the middle of SUB ends, and waits for handlers that work", async () => {
  await using unanswered = await FakeNode.start({ onCommand: (_, { line }) => line.startsWith("SUB") });
  const subscribing = new Consumer("orders", "mail", { nsqd: unanswered.address });
  subscribing.run(() => {});
  await unanswered.command(({ line }) => line.startsWith("SUB"));
  await subscribing.close();
  const node = delivering(["a"]);
  await using fake = await FakeNode.start(node.settings);
  const working = new Consumer("orders", "mail", { nsqd: fake.address });
  const started = Promise.withResolvers<void>(), work = Promise.withResolvers<void>();
  let isDone = false;
  working.run(async () => {
    started.resolve();
    await work.promise;
    isDone = true;
  });
  await started.promise;
  const closing = working.close();
  await fake.command(({ line }) => line === "CLS");
  work.resolve();
  await closing;
  assert.equal(isDone, true);
  assert.deepEqual(node.answers, [`FIN ${id(1)}`]);
});

Deno.test("Consumer.ready() fails when a node that was named cannot be reached", async () => {
  const gone = await FakeNode.start();
  const { address } = gone;
  await gone[Symbol.asyncDispose]();
  await using consumer = new Consumer("orders", "mail", { nsqd: address });
  await assert.rejects(
    consumer.ready(),
    (error: Error) => error instanceof ConnectionError && /connection refused/.test(error.message),
  );
});

Deno.test("Consumer.isStarved says when a node has nearly all of its RDY out", async () => {
  const node = delivering(["1", "2", "3", "4"]);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address, maxInFlight: 4 });
  assert.equal(consumer.isStarved, false);
  const iterator = consumer[Symbol.asyncIterator]();
  const messages: Message[] = [];
  for (let i = 0; i < 4; i++) messages.push((await iterator.next()).value!);
  assert.equal(consumer.isStarved, true);
  messages[0].finish();
  messages[1].finish();
  assert.equal(consumer.isStarved, false);
  for (const message of messages) message.finish();
});

Deno.test("A message tells its id, attempts, time, node and names", async () => {
  const node = delivering(["body"], {}, 3);
  await using fake = await FakeNode.start(node.settings);
  await using consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  const message = (await consumer[Symbol.asyncIterator]().next()).value!;
  assert.equal(message.id, id(1));
  assert.equal(new TextDecoder().decode(message.idBytes), id(1));
  assert.equal(message.attempts, 3);
  assert.equal(message.timestampNs, 1_700_000_000_123_456_789n);
  assert.equal(message.publishedAtMs, 1_700_000_000_123.4568);
  assert.deepEqual([message.topic, message.channel, message.nodeAddress], ["orders", "mail", fake.address]);
  assert.equal(new TextDecoder().decode(message.value), "body");
  message.finish();
});

Deno.test("Each of 20 nodes is served by a consumer with one slot, whose handler never has more than one", async () => {
  const nodes: FakeNode[] = [];
  try {
    for (let i = 0; i < 20; i++) nodes.push(await FakeNode.start(delivering([`of ${i}`]).settings));
    await using consumer = new Consumer("orders", "mail", { nsqd: nodes.map(({ address }) => address) });
    const served = new Set<string>();
    let most = 0;
    await new Promise<void>((resolve) =>
      consumer.run((message) => {
        most = Math.max(most, consumer.stats().inFlight);
        served.add(message.nodeAddress);
        if (served.size === nodes.length) resolve();
      })
    );
    assert.equal(most, 1);
  } finally {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  }
});

Deno.test("A late TOUCH and REQ fail that call only", async () => {
  await using server = await startNsqd();
  await using consumer = new Consumer("orders", "mail", {
    nsqd: `127.0.0.1:${server.tcpPort}`,
    maxInFlight: 3,
    maxBackoffMs: 0,
  });
  const codes: string[] = [];
  const both = new Promise<void>((resolve) =>
    consumer.on("error", (error) => {
      codes.push((error as { code?: string }).code!);
      if (codes.length === 2) resolve();
    })
  );
  const iterator = consumer[Symbol.asyncIterator]();
  await server.http("POST", "/mpub?topic=orders", "a\nb");
  const [first, second] = [(await iterator.next()).value!, (await iterator.next()).value!];
  await server.http("POST", "/channel/empty?topic=orders&channel=mail");
  assert.equal(first.touch(), true);
  assert.equal(second.requeue(), true);
  await both;
  assert.deepEqual(codes.sort(), ["E_REQ_FAILED", "E_TOUCH_FAILED"]);
  first.finish();
});

Deno.test("A consumer that the node refuses tries again, and gets in when there is room", async () => {
  await using server = await startNsqd(["--max-channel-consumers=1"]);
  const options = { nsqd: `127.0.0.1:${server.tcpPort}`, reconnectDelayMs: 5, lookupdPollIntervalMs: 50 };
  const first = new Consumer("orders", "mail", options);
  const isIn = new Promise<void>((resolve) => first.on("connected", () => resolve()));
  first.run(() => {});
  await isIn;
  await using second = new Consumer("orders", "mail", options);
  const refused = new Promise<Error>((resolve) => second.on("error", resolve));
  const gotIn = new Promise<void>((resolve) => second.on("connected", () => resolve()));
  second.run(() => {});
  assert.match((await refused).message, /E_SUB_FAILED .*exceeds limit of 1/);
  await first.close();
  await gotIn;
});

Deno.test("A consumer gets its first message although it had none when it was made, from several takers at once", async () => {
  await using server = await startNsqd();
  await using consumer = new Consumer("orders", "mail", {
    nsqd: `127.0.0.1:${server.tcpPort}`,
    maxInFlight: 4,
  });
  const iterator = consumer[Symbol.asyncIterator](), reader = consumer.readable.getReader();
  const taken = [iterator.next(), reader.read(), iterator.next()];
  await consumer.ready();
  await server.http("POST", "/mpub?topic=orders", "a\nb\nc");
  const bodies: string[] = [];
  for (const { value } of await Promise.all(taken)) {
    bodies.push(value!.text());
    value!.finish();
  }
  assert.deepEqual(bodies.sort(), ["a", "b", "c"]);
});

Deno.test("Consumer.close() ends at its deadline when a node answers nothing and keeps the connection", async () => {
  await using fake = await FakeNode.start({ onCommand: (_, { line }) => line === "CLS" });
  const consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  const isIn = new Promise<void>((resolve) => consumer.on("connected", () => resolve()));
  consumer.run(() => {});
  await isIn;
  const closing = consumer.close({ timeoutMs: 20 });
  await fake.command(({ line }) => line === "CLS");
  await closing;
  assert.equal(consumer.stats().connections, 0);
});

Deno.test("Consumer.close() in the handler of the last message ends, also when it is awaited there", async () => {
  const node = delivering(["a"]);
  await using fake = await FakeNode.start(node.settings);
  const consumer = new Consumer("orders", "mail", { nsqd: fake.address });
  await consumer.run(async (message) => {
    message.finish();
    // The handler waits for close(), which does not wait for a handler that has answered.
    await consumer.close();
  });
  assert.deepEqual(node.answers, [`FIN ${id(1)}`]);
  const unanswered = delivering(["b"]);
  await using other = await FakeNode.start(unanswered.settings);
  const waiting = new Consumer("orders", "mail", { nsqd: other.address });
  // They wait for each other here: the deadline ends that.
  await waiting.run(() => waiting.close({ timeoutMs: 20 }));
  await other.command(({ line }) => line === `REQ ${id(1)} 0`);
});
