/**
 * "Needs attention": what of a snapshot wants somebody to do something, the worst first, each with one action.
 *
 * Tested in test/admin/poller/attention_test.ts.
 */
import type { AttentionLine, ChannelView, LookupdView, NodeView, TopicView } from "../model/snapshot.ts";
import { counted } from "./words.ts";

type Found = Omit<AttentionLine, "sinceMs">;

/** Lines beyond are counted nowhere: whoever has so many has one cause. */
const MAX_LINES = 100;
/** A disk with less left is nearly full. */
const LITTLE_BYTES = 1 << 30;
const MIB = 1 << 20;
/** Turns of an event loop that are late by so much are felt by clients, ms. */
const SLUGGISH_MS = 200;
const SEVERITIES = { critical: 0, warning: 1, notice: 2 } as const;

/** What lines are found in. */
export interface AttentionInput {
  readonly lookupds: readonly LookupdView[];
  readonly nodes: readonly NodeView[];
  readonly topics: ReadonlyMap<string, TopicView>;
}

/** Remembers since when there is which trouble. */
export class Attention {
  #sinceMs = new Map<string, number>();

  lines(input: AttentionInput, nowMs: number): AttentionLine[] {
    const found = [...ofLookupds(input), ...ofNodes(input), ...ofTopics(input)];
    found.sort((a, b) => SEVERITIES[a.severity] - SEVERITIES[b.severity] || b.weight - a.weight);
    const before = this.#sinceMs;
    this.#sinceMs = new Map(found.map(({ key }) => [key, before.get(key) ?? nowMs]));
    return found.slice(0, MAX_LINES).map(({ weight: _, ...line }) => ({
      ...line,
      sinceMs: this.#sinceMs.get(line.key)!,
    }));
  }
}

interface Weighed extends Found {
  /** Among lines of one severity the heavier come first. */
  readonly weight: number;
}

function* ofLookupds({ lookupds }: AttentionInput): Generator<Weighed> {
  for (const { address, isUp, error } of lookupds) {
    if (isUp) continue;
    yield {
      severity: "critical",
      key: `lookupd ${address}`,
      cause: `lookupd ${address} does not answer: ${error}`,
      action: { label: "Nodes", path: "/nodes" },
      weight: Infinity,
    };
  }
}

function* ofNodes({ nodes, lookupds }: AttentionInput): Generator<Weighed> {
  for (const node of nodes) {
    const { id, hostname } = node;
    const line = (severity: Found["severity"], what: string, cause: string): Weighed => ({
      severity,
      key: `node ${what} ${id}`,
      cause,
      action: { label: "Node", path: `/nodes/${encodeURIComponent(id)}` },
      weight: 1e15,
    });
    const name = hostname === "" ? id : `${hostname} (${id})`;
    if (!node.isUp) yield line("critical", "down", `${name} does not answer: ${node.error}`);
    else if (node.health.startsWith("NOK")) yield line("critical", "sick", `${name}: ${node.health}`);
    const { diskFreeBytes = null, eventLoopDelayMs = null } = node.process ?? {};
    if (diskFreeBytes !== null && diskFreeBytes < LITTLE_BYTES) {
      yield line("warning", "disk", `${name}: its disk has ${Math.floor(diskFreeBytes / MIB)} MiB left`);
    }
    if (eventLoopDelayMs !== null && eventLoopDelayMs > SLUGGISH_MS) {
      yield line("warning", "loop", `${name}: its event loop is ${Math.round(eventLoopDelayMs)} ms late`);
    }
    const listing = node.remoteAddresses.length;
    if (node.isUp && lookupds.length > 0 && lookupds.every(({ isUp }) => isUp) && listing < lookupds.length) {
      const cause = listing === 0
        ? `${name} is in no lookupd: consumers do not find it`
        : `${name} is in ${listing} of ${counted(lookupds.length, "lookupd")}`;
      yield line("warning", "registration", cause);
    }
    if (node.isOutOfDate) yield line("notice", "version", `${name} runs ${node.version}, others are newer`);
  }
}

function* ofTopics({ topics }: AttentionInput): Generator<Weighed> {
  for (const topic of topics.values()) {
    for (const channel of topic.channels.values()) {
      const line = ofChannel(channel);
      if (line !== null) yield line;
      if ((channel.figures.dead ?? 0) > 0) yield ofDeadLetters(channel, channel.figures.dead!);
    }
    const { name, figures, channels, isPaused } = topic;
    const path = `/topics/${encodeURIComponent(name)}`;
    if (figures.depth > 0 && channels.size === 0 && !isPaused) {
      yield {
        severity: "warning",
        key: `no channel ${name}`,
        cause: `${name} has no channel: ${counted(figures.depth, "message")} waiting for one`,
        action: { label: "Topic", path },
        weight: figures.depth,
      };
    }
    if (isPaused && channels.size === 0 && figures.depth > 0) {
      yield {
        severity: "notice",
        key: `paused ${name}`,
        cause: `${name} is paused: ${counted(figures.depth, "message")} waiting`,
        action: { label: "Topic", path },
        weight: figures.depth,
      };
    }
  }
}

function ofDeadLetters({ topic, name }: ChannelView, dead: number): Weighed {
  return {
    severity: "warning",
    key: `dead ${topic}/${name}`,
    cause: `${topic}/${name} has ${counted(dead, "dead letter")}`,
    action: {
      label: "Dead letters",
      path: `/dead/${encodeURIComponent(topic)}/${encodeURIComponent(name)}`,
    },
    weight: dead,
  };
}

/** Nodes that fail have lines of their own. */
function ofChannel({ topic, name, diagnosis, figures }: ChannelView): Weighed | null {
  const { severity, cause, text } = diagnosis;
  if (severity === "ok" || severity === "notice" || cause === "node down" || cause === "node sick") {
    return null;
  }
  return {
    severity: cause === "paused" || cause === "topic paused" ? "notice" : severity,
    key: `channel ${topic}/${name} ${cause}`,
    cause: `${topic}/${name}: ${text}`,
    action: { label: "Channel", path: `/topics/${encodeURIComponent(topic)}/${encodeURIComponent(name)}` },
    weight: figures.depth + figures.inFlight,
  };
}
