/**
 * Where policies come from. Of each key the most specific source counts: set on the object, then the definitions file,
 * then the longest pattern of the config file that matches, then the default.
 *
 * The book has what a node was started with. What was set on a topic or channel is kept by that, and given here.
 */
import { isEphemeral } from "../protocol/names.ts";
import { matchPatterns, type PolicyPattern } from "./patterns.ts";
import { type ChannelPolicy, channelPolicyOf, type TopicPolicy, topicPolicyOf } from "./policy.ts";
import { fieldsOf, type PolicyOf } from "./policy_fields.ts";
import { changed, PolicyError, type Settings, type SettingsChange, showValue } from "./settings.ts";

/** Names a topic, or one of its channels. */
export interface PolicySubject {
  readonly topic: string;
  readonly channel?: string;
}

/** A key of an effective policy, as answers show it. */
export interface ShownValue {
  readonly value: number | string;
  /** `set`, `definitions`, `config: <pattern>` or `default`. */
  readonly source: string;
}

export const noSettings: Settings = new Map();

export class PolicyBook {
  readonly #patterns: readonly PolicyPattern[];
  readonly #defined = new Map<string, Settings>();

  constructor(patterns: readonly PolicyPattern[] = []) {
    this.#patterns = patterns;
  }

  /** Takes what the definitions file says. @throws {PolicyError} when it contradicts itself */
  define(subject: PolicySubject, settings: Settings): void {
    this.#defined.set(keyOf(subject), settings);
    check(subject, this.#effective(subject, noSettings));
  }

  /** `settings` with `change` made. @throws {PolicyError} when what would be in force contradicts itself */
  checked(subject: PolicySubject, settings: Settings, change: SettingsChange): Settings {
    const next = changed(settings, change);
    check(subject, this.#effective(subject, next));
    return next;
  }

  /** What is in force in a topic with these `settings`. */
  topicPolicy(topic: string, settings: Settings): TopicPolicy {
    return topicPolicyOf(this.#valuesOf({ topic }, settings));
  }

  /** What is in force in a channel with these `settings`, on a topic with that policy. */
  channelPolicy(topic: string, channel: string, settings: Settings, topicPolicy: TopicPolicy): ChannelPolicy {
    return channelPolicyOf(this.#valuesOf({ topic, channel }, settings), topicPolicy);
  }

  /** Each key with its value and where it comes from. */
  shown(subject: PolicySubject, settings: Settings): Record<string, ShownValue> {
    const effective = this.#effective(subject, settings);
    return Object.fromEntries(
      fieldsOf(kindOf(subject)).map((field) => {
        const { value, source } = effective.get(field.key)!;
        return [field.key, { value: showValue(field, value), source }];
      }),
    );
  }

  #valuesOf(subject: PolicySubject, settings: Settings): Settings {
    return new Map([...this.#effective(subject, settings)].map(([key, { value }]) => [key, value]));
  }

  #effective(subject: PolicySubject, set: Settings): Map<string, ShownValue> {
    const of = kindOf(subject), defined = this.#defined.get(keyOf(subject)) ?? noSettings;
    const matched = matchPatterns(this.#patterns, of, subject.topic, subject.channel);
    const effective = new Map<string, ShownValue>();
    for (const { key, default: fallback } of fieldsOf(of)) {
      const own = set.get(key), named = defined.get(key), general = matched.get(key);
      if (own !== undefined) effective.set(key, { value: own, source: "set" });
      else if (named !== undefined) effective.set(key, { value: named, source: "definitions" });
      else if (general !== undefined) {
        effective.set(key, { value: general.value, source: `config: ${general.pattern}` });
      } else effective.set(key, { value: fallback, source: "default" });
    }
    return effective;
  }
}

/** @throws {PolicyError} when what is in force contradicts itself */
function check(subject: PolicySubject, effective: Map<string, ShownValue>): void {
  if (subject.channel === undefined) return;
  const value = (key: string) => effective.get(key)?.value, name = subject.channel;
  if (value("order") !== "none" && isEphemeral(name)) {
    throw new PolicyError(`order is not for the ephemeral channel ${name}, which drops messages`);
  }
  if (value("dead_letter_topic") === subject.topic) {
    throw new PolicyError(`dead_letter_topic = "${subject.topic}" is the channel's own topic`);
  }
}

function kindOf(subject: PolicySubject): PolicyOf {
  return subject.channel === undefined ? "topic" : "channel";
}

/** Names have no spaces. */
function keyOf({ topic, channel }: PolicySubject): string {
  return channel === undefined ? topic : `${topic} ${channel}`;
}
