/** What tests see of nsqd from outside: statistics, and conditions that come true in a while. */
import assert from "node:assert/strict";
import type { TestNsqd } from "../support/running_nsqd.ts";

export interface ChannelStats {
  channel_name: string;
  depth: number;
  in_flight_count: number;
  deferred_count: number;
  message_count: number;
  requeue_count: number;
  timeout_count: number;
  client_count: number;
  paused: boolean;
  clients: { client_id: string; finish_count: number; in_flight_count: number }[];
}

export interface TopicStats {
  topic_name: string;
  depth: number;
  message_count: number;
  paused: boolean;
  channels: ChannelStats[];
}

const LIMIT_MS = 20_000;

export async function topicStats(server: TestNsqd): Promise<TopicStats[]> {
  return JSON.parse(await server.http("GET", "/stats?format=json")).topics ?? [];
}

/** Names of all topics, in order. */
export async function topicNames(server: TestNsqd): Promise<string[]> {
  return (await topicStats(server)).map((topic) => topic.topic_name);
}

export async function channelStats(server: TestNsqd, topic = "t", channel = "c"): Promise<ChannelStats> {
  const text = await server.http("GET", `/stats?format=json&topic=${topic}&channel=${channel}`);
  return JSON.parse(text).topics[0].channels[0];
}

/** Waits until `condition` holds: statistics follow commands that have no answer. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS;
  while (!await condition()) {
    assert.ok(performance.now() < deadlineMs, `${what} did not come true within ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
