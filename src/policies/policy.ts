/**
 * Policies as the broker uses them: flat objects that are made when something is set, and only read after that.
 *
 * Tested in test/policies/policy_book_test.ts.
 */
import { fieldsOf, type PolicyOf } from "./policy_fields.ts";
import type { Settings } from "./settings.ts";

export interface TopicPolicy {
  /** 0 is no limit, here and below. */
  readonly ttlMs: number;
  readonly maxDepth: number;
  readonly maxBytes: number;
  readonly overflow: "reject" | "drop-oldest" | "dead";
  /** Empty for messages without keys. */
  readonly keyPlace: string;
}

export interface ChannelPolicy {
  readonly maxAttempts: number;
  /** The shorter one of the channel's and its topic's. */
  readonly ttlMs: number;
  readonly onExpire: "drop" | "dead";
  /** The smaller one of the channel's and its topic's, where the topic drops at its bound. */
  readonly maxDepth: number;
  readonly maxBytes: number;
  readonly overflow: "drop-oldest" | "dead";
  readonly order: "none" | "strict" | "key";
  readonly maxKeyLookahead: number;
  /** Empty when dead letters stay in the channel. */
  readonly deadLetterTopic: string;
}

function valueOf(of: PolicyOf, settings: Settings, key: string): number | string {
  return settings.get(key) ?? fieldsOf(of).find((field) => field.key === key)!.default;
}

/** The policy of a topic with these effective settings. */
export function topicPolicyOf(settings: Settings): TopicPolicy {
  const number = (key: string) => valueOf("topic", settings, key) as number;
  const text = (key: string) => valueOf("topic", settings, key) as string;
  return {
    ttlMs: number("ttl"),
    maxDepth: number("max_depth"),
    maxBytes: number("max_bytes"),
    overflow: text("overflow") as TopicPolicy["overflow"],
    keyPlace: text("key"),
  };
}

/** The policy of a channel with these effective settings, on a topic with that policy. */
export function channelPolicyOf(settings: Settings, topic: TopicPolicy): ChannelPolicy {
  const number = (key: string) => valueOf("channel", settings, key) as number;
  const text = (key: string) => valueOf("channel", settings, key) as string;
  const isBoundByTopic = topic.overflow !== "reject";
  const ownDepth = number("max_depth"), ownBytes = number("max_bytes");
  const maxDepth = isBoundByTopic ? smallerLimit(ownDepth, topic.maxDepth) : ownDepth;
  const maxBytes = isBoundByTopic ? smallerLimit(ownBytes, topic.maxBytes) : ownBytes;
  const isOwnBound = ownDepth > 0 || ownBytes > 0 || !isBoundByTopic;
  return {
    maxAttempts: number("max_attempts"),
    ttlMs: smallerLimit(number("ttl"), topic.ttlMs),
    onExpire: text("on_expire") as ChannelPolicy["onExpire"],
    maxDepth,
    maxBytes,
    overflow: (isOwnBound ? text("overflow") : topic.overflow) as ChannelPolicy["overflow"],
    order: text("order") as ChannelPolicy["order"],
    maxKeyLookahead: number("max_key_lookahead"),
    deadLetterTopic: text("dead_letter_topic"),
  };
}

/** Of two limits the one that binds; 0 is none. */
function smallerLimit(a: number, b: number): number {
  if (a === 0 || b === 0) return Math.max(a, b);
  return Math.min(a, b);
}

/** Whether a channel policy says anything. */
export function hasPolicy(policy: ChannelPolicy): boolean {
  return (Object.keys(policy) as (keyof ChannelPolicy)[]).some((key) => policy[key] !== noChannelPolicy[key]);
}

/** What is in force where nothing was set. */
export const noTopicPolicy: TopicPolicy = topicPolicyOf(new Map());
export const noChannelPolicy: ChannelPolicy = channelPolicyOf(new Map(), noTopicPolicy);
