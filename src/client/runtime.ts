/**
 * What differs between Deno, Node, Bun and browsers: modules of the runtime, and the end of a turn.
 *
 * Tested in test/client/runtime_test.ts.
 */

interface ProcessWithModules {
  getBuiltinModule?: (name: string) => unknown;
}

/** A module of the runtime such as `node:os`, or null where there is none, as in browsers. */
export function builtinModule<T>(name: string): T | null {
  const { process } = globalThis as { process?: ProcessWithModules };
  try {
    return process?.getBuiltinModule?.(name) as T | undefined ?? null;
  } catch {
    return null;
  }
}

type Schedule = (work: () => void) => unknown;

function chooseEndOfTurn(): Schedule {
  const timers = builtinModule<{ setImmediate: Schedule }>("node:timers");
  if (timers !== null) return timers.setImmediate;
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return (work) => {
    waiting.push(work);
    channel.port2.postMessage(null);
  };
}

/** Runs `work` once after all that the current turn of the event loop still does, promises included. */
export const atEndOfTurn: Schedule = chooseEndOfTurn();

/** The name of this machine; `unknown` where it may not be asked. */
export function hostname(): string {
  try {
    return builtinModule<{ hostname(): string }>("node:os")?.hostname() ?? "unknown";
  } catch {
    return "unknown";
  }
}
