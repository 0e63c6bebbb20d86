/**
 * When the utilities that forward give a message up.
 *
 * NSQ's give a message up by its count of deliveries alone, and unseen. A utility that was killed again and again would
 * lose messages so that nobody had ever tried. Here a message is given up only after it failed in this process too,
 * and a line says so.
 *
 * Tested in test/tools/to_http/to_http_test.ts.
 */
import type { ConsumerOptions, Message } from "../client/mod.ts";
import type { Logger } from "../log/logger.ts";
import { readClientOptions } from "./client_settings.ts";
import { reasonOf } from "./tool.ts";

/** What NSQ's client library gives a message up after. */
const DEFAULT_MAX_ATTEMPTS = 5;

/** What `--consumer-opt=max_attempts` says; 0 is no limit. */
export function maxAttemptsOf(consumerOpt: readonly string[]): number {
  const options: ConsumerOptions = readClientOptions("consumer-opt", consumerOpt);
  return options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
}

/** `consumerOpt` for the client, which is not to give anything up. */
export function withoutMaxAttempts(consumerOpt: readonly string[]): string[] {
  return consumerOpt.filter((text) => !/^max[-_]attempts(,|$)/.test(text));
}

/**
 * Has `work` do what is to be done with `message`. When that fails for good, finishes the message and says so.
 *
 * @throws what `work` throws, while the message may be tried again
 */
export async function attempt(
  message: Message,
  maxAttempts: number,
  logger: Logger,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (cause) {
    if (maxAttempts === 0 || message.attempts <= maxAttempts) throw cause;
    logger.error(
      `ERROR: msg ${message.id} attempted ${message.attempts} times, giving up: ${reasonOf(cause)}`,
    );
  }
}
