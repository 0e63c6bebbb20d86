/**
 * Definitions applied to a broker: topics and channels are created, paused and given policies; nothing is deleted.
 *
 * Tested in test/nsqd/http/policies_test.ts.
 */
import type { Broker } from "../broker/broker.ts";
import { StartupError } from "../log/startup_error.ts";
import { type Defined, parseDefinitions, type Present } from "../policies/definitions.ts";
import { parsePattern } from "../policies/patterns.ts";
import { PolicyBook } from "../policies/policy_book.ts";
import { PolicyError, type Settings } from "../policies/settings.ts";
import { isEphemeral } from "../protocol/names.ts";

/** What the broker has; ephemeral topics and channels are left out, which live no longer than their users. */
export function* presentIn(broker: Broker): Generator<Present> {
  for (const topic of broker.topics.values()) {
    if (topic.ephemeral) continue;
    yield { subject: { topic: topic.name }, paused: topic.paused, settings: topic.settings };
    for (const channel of topic.channels.values()) {
      if (channel.ephemeral) continue;
      const subject = { topic: topic.name, channel: channel.name };
      yield { subject, paused: channel.paused, settings: channel.settings };
    }
  }
}

/** @throws {PolicyError} for a policy that contradicts itself; check all of them before */
export function applyDefinitions(broker: Broker, wanted: readonly Defined[]): void {
  for (const { subject, paused, change } of wanted) {
    const topic = broker.topic(subject.topic, isEphemeral(subject.topic));
    if (subject.channel === undefined) {
      if (change !== undefined) broker.setTopicPolicy(topic, change);
      if (paused !== undefined && paused !== topic.paused) topic.setPaused(paused);
      continue;
    }
    const channel = topic.channel(subject.channel, isEphemeral(subject.channel));
    if (change !== undefined) broker.setChannelPolicy(topic, channel, change);
    if (paused !== undefined && paused !== channel.paused) channel.setPaused(paused);
  }
}

/** Reads the patterns of `--policy`. @throws {StartupError} naming the one that cannot be used */
export function readPolicies(texts: readonly string[]): PolicyBook {
  return new PolicyBook(texts.map((text) => {
    try {
      return parsePattern(JSON.parse(text));
    } catch (cause) {
      if (!(cause instanceof PolicyError || cause instanceof SyntaxError)) throw cause;
      throw new StartupError(`failed to read policy ${text} - ${cause.message}`, { cause });
    }
  }));
}

/** Reads a definitions file. @throws {StartupError} when it cannot be read or understood */
export function readDefinitions(path: string): Defined[] {
  try {
    return parseDefinitions(JSON.parse(Deno.readTextFileSync(path)));
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new StartupError(`failed to read definitions from ${path} - ${reason}`, { cause });
  }
}

/**
 * Puts a definitions file in force before anybody is served: channels are there before the first message. Its policies
 * are a source of their own, so that what is set at run time wins, and what is taken out of the file is gone.
 *
 * @throws {StartupError} for a policy that contradicts itself
 */
export function startWithDefinitions(broker: Broker, wanted: readonly Defined[], path: string): void {
  try {
    for (const { subject, change } of wanted) {
      const settings = [...change ?? []].filter((entry): entry is [string, number | string] =>
        entry[1] !== null
      );
      broker.policies.define(subject, new Map(settings) as Settings);
    }
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new StartupError(`failed to read definitions from ${path} - ${cause.message}`, { cause });
  }
  applyDefinitions(broker, wanted.map(({ subject, paused }) => ({ subject, paused })));
  broker.enforcePolicies();
}
