/**
 * The process cannot start: a listener, the data path or a setting is unusable. The command line turns
 * it into one FATAL line with `message` and exit code 1, without a stack trace; hence the message names
 * the action, the value and the reason.
 *
 * Tested in test/net/listen_test.ts.
 */
export class StartupError extends Error {
  override name = "StartupError";
  /** The line is `message` alone; else `failed to instantiate <program> - ` leads it, as in Go nsqd. */
  readonly standsAlone: boolean;

  constructor(message: string, options: ErrorOptions & { standsAlone?: boolean } = {}) {
    super(message, options);
    this.standsAlone = options.standsAlone ?? false;
  }
}
