/** Compares what a broker found at its start with what the model says must, and may, be there. */
import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Topic } from "../../src/broker/topic.ts";
import type { BrokerModel, MessageState, ModelChannel, ModelTopic } from "./broker_model.ts";
import { unfinished, unreleased } from "./recovered_contents.ts";

/** After a clean stop all must be as it was; after a crash finished messages may come again. */
export type Ending = "clean stop" | "crash";

/**
 * Checks the promises, and gives the model the new broker and what it has.
 */
export function checkRestart(model: BrokerModel, broker: Broker, ending: Ending): void {
  model.broker = broker;
  for (const topic of [...model.topics.values()]) {
    if (topic.ephemeral) {
      model.topics.delete(topic.name);
      continue;
    }
    for (const channel of [...topic.channels.values()]) {
      if (channel.ephemeral) topic.channels.delete(channel.name);
    }
    checkTopic(topic, model.realTopic(topic), ending);
  }
  assert.deepEqual(
    [...broker.topics.keys()].sort(),
    [...model.topics.keys()].sort(),
    "topics after a restart",
  );
}

function checkTopic(topic: ModelTopic, real: Topic, ending: Ending): void {
  const pending = unreleased(real), isPending = new Set(pending);
  assert.equal(real.pendingCount, pending.length, `${topic.name}: depth and what is there`);
  assert.deepEqual(
    [...real.channels.keys()].sort(),
    [...topic.channels.keys()].sort(),
    "channels after a restart",
  );
  for (const { seq } of topic.pending) {
    if (isPending.has(seq)) continue;
    assert.ok(ending === "crash" && topic.channels.size > 0, `${topic.name}: pending message ${seq} is gone`);
    for (const channel of topic.channels.values()) channel.messages.set(seq, newState());
  }
  if (ending === "clean stop") {
    const decided = pending.filter((seq) => !topic.undecided.has(seq));
    assert.deepEqual(
      decided,
      topic.pending.map((message) => message.seq),
      `${topic.name}: pending after a clean stop`,
    );
  }
  for (const channel of topic.channels.values()) {
    checkChannel(topic, channel, real.channels.get(channel.name)!, ending, isPending);
  }
  const delays = new Map(real.deferred.map(({ seq, delayMs }) => [seq, delayMs]));
  const found = new Set([
    ...pending,
    ...[...topic.channels.values()].flatMap((channel) => [...channel.messages.keys()]),
  ]);
  for (const [seq, message] of topic.undecided) {
    if (!found.has(seq)) continue;
    topic.undecided.delete(seq);
    topic.all.set(seq, { ...message, delayMs: delays.get(seq) ?? 0 });
  }
  topic.pending = pending.map((seq) => {
    const message = topic.all.get(seq);
    assert.ok(message !== undefined, `${topic.name}: message ${seq} was never published`);
    const delayMs = delays.get(seq) ?? 0;
    if (ending === "clean stop") {
      assert.ok(isClose(delayMs, message.delayMs), `${topic.name}: delay of ${seq}: ${delayMs}`);
    }
    return { ...message, delayMs };
  });
  topic.messageCount = real.messageCount;
}

function newState(): MessageState {
  return { state: "waiting", attempts: 0, owner: null, atMs: 0, deliveredAtMs: 0 };
}

function checkChannel(
  topic: ModelTopic,
  channel: ModelChannel,
  real: Channel,
  ending: Ending,
  pending: Set<number>,
): void {
  const found = unfinished(real), name = `${topic.name}/${channel.name}`;
  for (const [seq, message] of channel.messages) {
    const restored = found.get(seq);
    if (restored === undefined) {
      assert.ok(ending === "crash" && pending.has(seq), `${name}: message ${seq} (${message.state}) is lost`);
      continue;
    }
    if (ending === "clean stop") checkKept(`${name}: message ${seq} (${message.state})`, message, restored);
  }
  for (const seq of found.keys()) {
    if (topic.undecided.has(seq)) continue;
    assert.ok(topic.all.has(seq), `${name}: message ${seq} was never published`);
    if (ending === "clean stop") {
      assert.ok(channel.messages.has(seq), `${name}: message ${seq} was finished and is back`);
    }
  }
  channel.messages = found;
  channel.finished = channel.finished.filter((seq) => !found.has(seq));
  channel.consumers = [];
  channel.paused = real.paused;
  channel.messageCount = real.messageCount;
  channel.requeueCount = real.requeueCount;
  channel.timeoutCount = real.timeoutCount;
}

function checkKept(name: string, before: MessageState, after: MessageState): void {
  assert.equal(after.attempts, before.attempts, `${name} attempts`);
  assert.equal(after.state === "deferred", before.state === "deferred", `${name} is ${after.state}`);
  if (before.state !== "deferred") return;
  assert.ok(isClose(after.atMs, before.atMs), `${name} is due at ${after.atMs}, not ${before.atMs}`);
}

/** Times go through nanoseconds and back, which costs a fraction of a millisecond. */
function isClose(ms: number, otherMs: number): boolean {
  return Math.abs(ms - otherMs) < 0.01;
}
