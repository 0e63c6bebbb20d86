/** The text form of `/stats`. Columns are padded on the right to a width, and longer values push the rest on. */
import { formatDuration } from "../../options/duration.ts";
import { buildInfo } from "../../version.ts";
import type { BrokerStats, ChannelStats, ClientStats, LatencyStats, TopicStats } from "../../api/stats.ts";

/** Writes the statistics as text, as of `nowMs`; `startedAtMs` is when the process started. Both are Unix ms. */
export function formatStats(stats: BrokerStats, startedAtMs: number, nowMs: number): string {
  const lines = [
    buildInfo("nsqd"),
    `start_time ${formatLocalTime(startedAtMs)}`,
    `uptime ${formatDuration(nowMs - startedAtMs)}`,
    "",
    `Health: ${stats.health}`,
  ];
  if (stats.memory !== undefined) {
    lines.push("", "Memory:");
    for (const [name, value] of Object.entries(stats.memory)) lines.push(`   ${name.padEnd(25)}\t${value}`);
  }
  const topics = stats.topics ?? [], producers = stats.producers ?? [];
  lines.push("", topics.length === 0 ? "Topics: None" : "Topics:");
  topics.forEach((topic, i) => {
    if (i > 0) lines.push("");
    writeTopic(topic, nowMs, lines);
  });
  lines.push("", producers.length === 0 ? "Producers: None" : "Producers:");
  for (const producer of producers) lines.push(`   ${clientText(producer, nowMs)}`);
  return lines.join("\n") + "\n";
}

function writeTopic(topic: TopicStats, nowMs: number, lines: string[]): void {
  lines.push(
    `${topic.paused ? "*P " : "   "}[${topic.topic_name.padEnd(15)}] ` + columns([
      ["depth", topic.depth, 5],
      ["be-depth", topic.backend_depth, 5],
      ["msgs", topic.message_count, 8],
    ]) + ` e2e%: ${latencyText(topic.e2e_processing_latency)}`,
  );
  for (const channel of topic.channels) {
    lines.push(channelText(channel));
    for (const client of channel.clients ?? []) lines.push(`        ${clientText(client, nowMs)}`);
  }
}

function channelText(channel: ChannelStats): string {
  return `${channel.paused ? "   *P " : "      "}[${channel.channel_name.padEnd(25)}] ` + columns([
    ["depth", channel.depth, 5],
    ["be-depth", channel.backend_depth, 5],
    ["inflt", channel.in_flight_count, 4],
    ["def", channel.deferred_count, 4],
    ["re-q", channel.requeue_count, 5],
    ["timeout", channel.timeout_count, 5],
    ["msgs", channel.message_count, 8],
  ]) + ` e2e%: ${latencyText(channel.e2e_processing_latency)}`;
}

/** A client that published is shown as a producer, also among the clients of a channel. */
function clientText(client: ClientStats, nowMs: number): string {
  const { remote_address: address } = client;
  const colon = address.lastIndexOf(":");
  const port = colon < 0 ? "" : address.slice(colon + 1);
  const name = `${client.hostname}:${port} ${client.user_agent}`.padEnd(21);
  const counts = client.pub_counts ?? [];
  const published = counts.reduce((sum, entry) => sum + entry.count, 0);
  const connected = `connected: ${wholeSeconds(nowMs / 1000 - client.connect_ts)}`;
  if (counts.length > 0) {
    const topics = counts.map(({ topic, count }) => `${topic}=${count}`).join(",");
    return `[${client.version} ${name}] ${columns([["msgs", published, 8]])} topics: ${topics} ${connected}`;
  }
  return `[${client.version} ${name}] ` + columns([
    ["state", client.state, 0],
    ["inflt", client.in_flight_count, 4],
    ["rdy", client.ready_count, 4],
    ["fin", client.finish_count, 8],
    ["re-q", client.requeue_count, 8],
    ["msgs", client.message_count, 8],
  ]) + ` ${connected}`;
}

function columns(entries: readonly [label: string, value: number, width: number][]): string {
  return entries.map(([label, value, width]) => `${label}: ${String(value).padEnd(width)}`).join(" ");
}

function latencyText(latency: LatencyStats): string {
  return (latency.percentiles ?? []).map(({ value }) => nanosecondsText(value)).join(", ");
}

function nanosecondsText(ns: number): string {
  if (ns > 1e9) return `${(ns / 1e9).toFixed(1)}s`;
  if (ns > 1e6) return `${(ns / 1e6).toFixed(1)}ms`;
  return ns > 1e3 ? `${(ns / 1e3).toFixed(1)}us` : `${ns.toFixed(1)}ns`;
}

function wholeSeconds(seconds: number): string {
  return formatDuration(Math.max(0, Math.floor(seconds)) * 1000);
}

/** RFC 3339 in whole seconds, in the zone of the machine. */
function formatLocalTime(atMs: number): string {
  const offsetMinutes = -new Date(atMs).getTimezoneOffset();
  const local = new Date(atMs + offsetMinutes * 60_000).toISOString().slice(0, 19);
  if (offsetMinutes === 0) return `${local}Z`;
  const minutes = Math.abs(offsetMinutes), two = (value: number) => String(value).padStart(2, "0");
  return `${local}${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
