/**
 * V8's profilers, through a session of its inspector that lives as long as one profile.
 *
 * Between profiles there is no session, and nothing is sampled. One profile is taken at a time: V8 samples the
 * whole process, and what one session sets, such as the interval, holds for all.
 *
 * Tested in test/http/debug/routes_test.ts.
 */
import { Session } from "node:inspector";
import { HttpError } from "../errors.ts";
import type { CallFrame } from "./frame.ts";

/** What V8 says of a CPU profile, as far as it is read. */
export interface V8CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
    /** In which lines of the function it was seen; lines count from 1, and may come more than once. */
    readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[];
  }[];
  /** Ids of nodes. */
  readonly samples?: readonly number[];
  /** For each sample the time since the one before, µs. */
  readonly timeDeltas?: readonly number[];
}

/** A node of a heap profile: what was allocated there, in bytes, and is still in use. */
export interface V8HeapNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly V8HeapNode[];
}

export interface V8HeapProfile {
  readonly head: V8HeapNode;
}

/** Handing the samples of a profile over stops everything else for about 2 µs each, so there are not more. */
const MAX_CPU_SAMPLES = 10_000;
const MIN_CPU_INTERVAL_US = 1000;

/** The time between two samples of a CPU profile, µs. */
export function cpuIntervalUs(durationMs: number): number {
  return Math.max(MIN_CPU_INTERVAL_US, Math.ceil(durationMs * 1000 / MAX_CPU_SAMPLES));
}

/** On average, one object is sampled in so many bytes of allocations. */
export const HEAP_INTERVAL_BYTES = 64 << 10;

/** A profile that is being taken. Either method ends it, and may be called once. */
export interface Recording<T> {
  stop(): Promise<T>;
  discard(): void;
}

let isRecording = false;

/**
 * Begins to sample what runs, every `intervalUs`.
 *
 * @throws {HttpError} 409 while another profile is taken, 500 when the permission for it is missing
 */
export function startCpuProfile(intervalUs: number): Promise<Recording<V8CpuProfile>> {
  return record<V8CpuProfile>("Profiler.stop", async (session) => {
    await post(session, "Profiler.enable");
    await post(session, "Profiler.setSamplingInterval", { interval: intervalUs });
    await post(session, "Profiler.start");
  });
}

/**
 * Begins to sample what is allocated; what is freed before the end drops out again.
 *
 * @throws as `startCpuProfile()`
 */
export function startHeapProfile(): Promise<Recording<V8HeapProfile>> {
  return record<V8HeapProfile>("HeapProfiler.stopSampling", async (session) => {
    await post(session, "HeapProfiler.enable");
    await post(session, "HeapProfiler.startSampling", { samplingInterval: HEAP_INTERVAL_BYTES });
  });
}

async function record<T>(
  stopMethod: string,
  start: (session: Session) => Promise<void>,
): Promise<Recording<T>> {
  if (isRecording) {
    throw new HttpError(409, "another profile is being taken; only one can be taken at a time");
  }
  isRecording = true;
  const session = new Session();
  const end = () => {
    session.disconnect();
    isRecording = false;
  };
  const stop = async () => {
    try {
      return (await post(session, stopMethod) as { profile: T }).profile;
    } finally {
      end();
    }
  };
  try {
    connect(session);
    await start(session);
  } catch (cause) {
    end();
    throw cause;
  }
  return {
    stop,
    discard() {
      stop().catch(() => {/* Nobody asks for this profile any more. */});
    },
  };
}

/** Has V8 free what is no longer used, at once; all else waits meanwhile. */
export async function collectGarbage(): Promise<void> {
  const session = new Session();
  connect(session);
  try {
    await post(session, "HeapProfiler.collectGarbage");
  } finally {
    session.disconnect();
  }
}

/** @throws {HttpError} 500 when the permission for it is missing */
function connect(session: Session): void {
  try {
    session.connect();
  } catch (cause) {
    throw new HttpError(500, `the inspector of V8 cannot be used: ${(cause as Error).message}`, { cause });
  }
}

/** Sends one command to the inspector. */
function post(session: Session, method: string, parameters?: Record<string, unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, parameters, (error: Error | null, result?: unknown) => {
      if (error === null) resolve(result);
      else reject(new Error(`the inspector refused ${method}: ${error.message}`, { cause: error }));
    });
  });
}
