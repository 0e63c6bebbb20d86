/** Runs a service until it ends by itself or a signal stops it. */
import type { Logger } from "../log/logger.ts";

/** A started server. */
export interface Service {
  /**
   * Stops in good order, finishing and saving what is under way; with `force` at once. May be called
   * again, also with `force` while an orderly stop is under way.
   */
  stop(force?: boolean): Promise<void>;
  /** Resolves with the exit code when the service has ended, for whatever reason. */
  done: Promise<number>;
}

/** What to do about signals. */
export interface SignalHandlers {
  /** For each signal that asks to stop. */
  stop(signal: string): void;
  /** For SIGHUP, which keeps its default without it. */
  reload?: () => void;
}

/** Where signals come from; a test sends its own. */
export interface SignalSource {
  /** Calls the handlers until the returned function is called. */
  listen(handlers: SignalHandlers): () => void;
  /** Keeps SIGHUP from ending the process until the returned function is called. */
  ignoreHangups(): () => void;
}

const IS_WINDOWS = Deno.build.os === "windows";

/**
 * The signals of this process: SIGINT and SIGTERM stop it, SIGHUP reloads. Where there is nothing to reload SIGHUP
 * keeps its default, which ends the process.
 */
export const processSignals: SignalSource = {
  listen({ stop, reload }) {
    const stopOnce = withoutEchoes(stop);
    const signals: Deno.Signal[] = ["SIGINT", IS_WINDOWS ? "SIGBREAK" : "SIGTERM"];
    const unlisten = signals.map((signal) => listenTo(signal, () => stopOnce(signal)));
    if (!IS_WINDOWS && reload !== undefined) unlisten.push(listenTo("SIGHUP", reload));
    return () => unlisten.forEach((each) => each());
  },
  ignoreHangups: () => IS_WINDOWS ? () => {} : listenTo("SIGHUP", () => {}),
};

function listenTo(signal: Deno.Signal, listener: () => void): () => void {
  Deno.addSignalListener(signal, listener);
  return () => Deno.removeSignalListener(signal, listener);
}

/**
 * Signals that end a process which does not ask for them, and that Go nsqd ignores, as every Go program does.
 * Scripts, terminals and limits send them. A write beyond `ulimit -f` then fails with an error, in place of SIGXFSZ.
 */
const HARMLESS: readonly Deno.Signal[] = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGIO",
  "SIGPWR",
  "SIGXCPU",
  "SIGXFSZ",
];

/**
 * Has harmless signals ignored, and SIGHUP too when whoever started this process had it ignored, as `nohup` does:
 * to listen to it, as for reloading, would end that.
 *
 * @returns the function that undoes it
 */
export function ignoreSignals(): () => void {
  if (IS_WINDOWS) return () => {};
  const signals = isHangupIgnored() ? [...HARMLESS, "SIGHUP" as const] : HARMLESS;
  const unlisten = signals.flatMap((signal) => {
    try {
      return [listenTo(signal, () => {})];
    } catch {
      // Not every system has all of them.
      return [];
    }
  });
  return () => unlisten.forEach((each) => each());
}

/** Whether this process was started with SIGHUP ignored; before anything listens to it. False where nobody can tell. */
function isHangupIgnored(): boolean {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status);
    return ignored !== null && (BigInt(`0x${ignored[1]}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

/**
 * Keeps SIGHUP from ending a process that is still starting. The returned function lets go of it, and says whether
 * one came meanwhile.
 */
export function holdHangups(): () => boolean {
  if (IS_WINDOWS) return () => false;
  let hasCome = false;
  const unlisten = listenTo("SIGHUP", () => {
    hasCome = true;
  });
  return () => {
    unlisten();
    return hasCome;
  };
}

/**
 * A signal that comes again within this time is the same one: for a Ctrl-C the terminal signals all of its
 * processes, and `deno task`, which is one of them, then passes it on to ours.
 */
const ECHO_MS = 300;

/** Returns a handler that leaves echoes out; `nowMs` is a monotonic clock. */
export function withoutEchoes(
  handler: (signal: string) => void,
  nowMs: () => number = () => performance.now(),
): (signal: string) => void {
  const handledAtMs = new Map<string, number>();
  return (signal) => {
    const atMs = nowMs();
    if (atMs - (handledAtMs.get(signal) ?? -Infinity) < ECHO_MS) return;
    handledAtMs.set(signal, atMs);
    handler(signal);
  };
}

/**
 * Resolves with the exit code. The first signal stops the service in good order; the second forces it to
 * stop, with exit code 1. After that signals are no longer caught, so that a third one kills the process.
 *
 * @param reload what SIGHUP is for, until the service is told to stop
 */
export function runUntilStopped(
  service: Service,
  logger: Logger,
  reload?: () => void,
  signals: SignalSource = processSignals,
): Promise<number> {
  return new Promise((resolve) => {
    let signalCount = 0;
    let letHangups = () => {};
    const finish = (code: number) => {
      unlisten();
      letHangups();
      resolve(code);
    };
    const failTo = (action: string) => (cause: unknown) => {
      logger.fatal(`failed to ${action} - ${cause instanceof Error ? cause.message : cause}`);
      finish(1);
    };
    const reloadRunning = () => {
      if (signalCount === 0) reload?.();
    };
    const stop = (signal: string) => {
      signalCount++;
      if (signalCount === 1) {
        // A terminal that closes meanwhile is not to cut it short.
        letHangups = signals.ignoreHangups();
        logger.info(`${signal}: stopping`);
        service.stop().catch(failTo("stop"));
      } else if (signalCount === 2) {
        logger.warn(`${signal} again: stopping at once`);
        unlisten();
        service.stop(true).then(() => finish(1), failTo("stop at once"));
      }
    };
    const unlisten = signals.listen({ stop, reload: reload && reloadRunning });
    service.done.then((code) => finish(signalCount > 1 ? 1 : code), failTo("go on"));
  });
}
