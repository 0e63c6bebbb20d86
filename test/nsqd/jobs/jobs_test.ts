import assert from "node:assert/strict";
import { type JobRequest, Jobs } from "../../../src/nsqd/jobs/jobs.ts";

function request(settings: Partial<JobRequest>): JobRequest {
  return {
    kind: "redrive",
    subject: "t/c",
    items: Float64Array.from({ length: 2500 }, (_, i) => i),
    ratePerSecond: 0,
    step: (items) => items.length,
    ...settings,
  };
}

async function ended(jobs: Jobs, id: string) {
  while (jobs.get(id)!.state === "running") await new Promise((resolve) => setTimeout(resolve, 0));
  return jobs.get(id)!;
}

Deno.test("Jobs.start() works on all items in steps, and counts those that could not be done", async () => {
  const jobs = new Jobs(() => 5), seen: number[] = [];
  const { id } = jobs.start(request({
    step(items) {
      seen.push(...items);
      return items.length - 1;
    },
  }));
  const { done, failed, selected, state, ended_at } = await ended(jobs, id);
  assert.deepEqual([done, failed, selected, state, ended_at], [2497, 3, 2500, "done", 5]);
  assert.deepEqual(seen, Array.from({ length: 2500 }, (_, i) => i));
});

Deno.test("Jobs.start() ends a job whose step throws, and says why", async () => {
  const jobs = new Jobs(() => 5);
  const { id } = jobs.start(request({ step: () => Promise.reject(new Error("the channel was deleted")) }));
  const { state, error, done } = await ended(jobs, id);
  assert.deepEqual([state, error, done], ["failed", "the channel was deleted", 0]);
});

Deno.test("Jobs.stopAll() ends jobs after their step", async () => {
  const jobs = new Jobs(() => 5);
  const { id } = jobs.start(request({}));
  jobs.stopAll();
  const { state, done } = await ended(jobs, id);
  assert.deepEqual([state, done], ["stopped", 1000]);
});

Deno.test("Jobs remembers the last hundred, the newest first", async () => {
  const jobs = new Jobs(() => 5);
  for (let i = 0; i < 120; i++) await ended(jobs, jobs.start(request({ items: new Float64Array(0) })).id);
  assert.deepEqual([jobs.all().length, jobs.all()[0].id, jobs.get("1"), jobs.stop("1")], [
    100,
    "120",
    undefined,
    undefined,
  ]);
});
