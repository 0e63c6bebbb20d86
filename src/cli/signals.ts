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
}

/**
 * The signals of this process: SIGINT and SIGTERM stop it, SIGHUP reloads. Where there is nothing to reload SIGHUP
 * keeps its default, which ends the process: listening to it would undo `nohup`. SIGUSR1 is ignored, as by the
 * original, since scripts send it.
 */
export const processSignals: SignalSource = {
  listen({ stop, reload }) {
    const isWindows = Deno.build.os === "windows";
    const signals: Deno.Signal[] = ["SIGINT", isWindows ? "SIGBREAK" : "SIGTERM"];
    const stopOnce = withoutEchoes(stop);
    const listeners = signals.map((signal) => ({ signal, listener: () => stopOnce(signal) }));
    if (!isWindows) listeners.push({ signal: "SIGUSR1", listener: () => {} });
    if (!isWindows && reload !== undefined) listeners.push({ signal: "SIGHUP", listener: reload });
    for (const { signal, listener } of listeners) Deno.addSignalListener(signal, listener);
    return () => {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    };
  },
};

/**
 * Keeps SIGHUP from ending a process that is still starting. The returned function lets go of it, and says whether
 * one came meanwhile.
 */
export function holdHangups(): () => boolean {
  if (Deno.build.os === "windows") return () => false;
  let hasCome = false;
  const note = () => {
    hasCome = true;
  };
  Deno.addSignalListener("SIGHUP", note);
  return () => {
    Deno.removeSignalListener("SIGHUP", note);
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
    const finish = (code: number) => {
      unlisten();
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
