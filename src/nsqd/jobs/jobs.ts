/**
 * Jobs: long operations on many messages, which are begun by a request and go on after its answer.
 *
 * What a job works on is fixed when it begins. It works in steps, so that others are served meanwhile, no faster than
 * its rate, and may be stopped; what was done stays done. The last jobs are remembered, in memory only.
 *
 * Tested in test/nsqd/jobs/jobs_test.ts.
 */

/** A job as answers show it. */
export interface JobState {
  readonly id: string;
  readonly kind: string;
  /** What it works on, such as `orders/mail`. */
  readonly subject: string;
  readonly state: "running" | "done" | "stopped" | "failed";
  readonly selected: number;
  readonly done: number;
  /** Selected ones that could not be done: they were gone, or it was refused. */
  readonly failed: number;
  /** A second; 0 is as fast as it goes. */
  readonly rate: number;
  /** Unix ms, as the next; null while it runs. */
  readonly started_at: number;
  readonly ended_at: number | null;
  /** Why it failed; left out otherwise. */
  readonly error?: string;
}

export interface JobRequest {
  readonly kind: string;
  readonly subject: string;
  readonly items: Float64Array;
  readonly ratePerSecond: number;
  /** Works on some of the items, resolves with how many of them were done. @throws to end the job as failed */
  step(items: readonly number[]): number | Promise<number>;
}

const MAX_STEP = 1000;
/** Steps of a job with a rate are this far apart, ms. */
const RATE_STEP_MS = 100;
/** Ended jobs that are remembered. */
const MAX_REMEMBERED = 100;

interface Job {
  state: JobState;
  isStopping: boolean;
}

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #nowMs: () => number;
  #nextNumber = 1;

  /** @param nowMs Unix ms */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Begins a job and returns its state. */
  start(request: JobRequest): JobState {
    const job: Job = {
      state: {
        id: String(this.#nextNumber++),
        kind: request.kind,
        subject: request.subject,
        state: "running",
        selected: request.items.length,
        done: 0,
        failed: 0,
        rate: request.ratePerSecond,
        started_at: this.#nowMs(),
        ended_at: null,
      },
      isStopping: false,
    };
    this.#jobs.set(job.state.id, job);
    this.#run(job, request);
    this.#forgetOld();
    return job.state;
  }

  /** The newest first. */
  all(): JobState[] {
    return [...this.#jobs.values()].map(({ state }) => state).reverse();
  }

  get(id: string): JobState | undefined {
    return this.#jobs.get(id)?.state;
  }

  /** Has a running job end after its step; the state as it is now, undefined when there is no such job. */
  stop(id: string): JobState | undefined {
    const job = this.#jobs.get(id);
    if (job !== undefined) job.isStopping = true;
    return job?.state;
  }

  /** Has all end after their steps. */
  stopAll(): void {
    for (const job of this.#jobs.values()) job.isStopping = true;
  }

  async #run(job: Job, { items, ratePerSecond, step }: JobRequest): Promise<void> {
    const stepItems = ratePerSecond === 0
      ? MAX_STEP
      : Math.max(1, Math.min(MAX_STEP, Math.round(ratePerSecond * RATE_STEP_MS / 1000)));
    const startedMs = performance.now();
    let at = 0, end: Pick<JobState, "state" | "error"> = { state: "done" };
    try {
      while (at < items.length && !job.isStopping) {
        const some = Array.from(items.subarray(at, at + stepItems));
        const done = await step(some);
        at += some.length;
        const { state } = job;
        job.state = { ...state, done: state.done + done, failed: state.failed + some.length - done };
        // Also without a rate: others come in between.
        const dueMs = ratePerSecond === 0 ? 0 : startedMs + at / ratePerSecond * 1000 - performance.now();
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs)));
      }
      if (at < items.length) end = { state: "stopped" };
    } catch (cause) {
      end = { state: "failed", error: (cause as Error).message };
    }
    job.state = { ...job.state, ...end, ended_at: this.#nowMs() };
  }

  #forgetOld(): void {
    for (const [id, { state }] of this.#jobs) {
      if (this.#jobs.size <= MAX_REMEMBERED) return;
      if (state.ended_at !== null) this.#jobs.delete(id);
    }
  }
}
