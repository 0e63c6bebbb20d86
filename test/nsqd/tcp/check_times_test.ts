import assert from "node:assert/strict";
import { CheckTimes, NO_SLOT } from "../../../src/nsqd/tcp/check_times.ts";
import { Random } from "../../support/random.ts";

/** Counts its checks, and asks for the next at `nextMs`. */
class Subject {
  slot = -1;
  checkedAtMs: number[] = [];
  nextMs = Infinity;
  onCheck: () => void = () => {};

  check(nowMs: number): number {
    this.checkedAtMs.push(nowMs);
    this.onCheck();
    return this.nextMs;
  }
}

Deno.test("CheckTimes.run() checks the new ones, and then each at the time it asked for or was lowered to", () => {
  const times = new CheckTimes<Subject>(), subjects = Array.from({ length: 200 }, () => new Subject());
  subjects.forEach((subject, i) => {
    subject.slot = times.add(subject);
    subject.nextMs = i % 2 === 0 ? 1000 : Infinity;
  });
  times.run(10);
  times.run(999);
  assert.ok(subjects.every(({ checkedAtMs }) => checkedAtMs.join() === "10"));
  times.lower(subjects[1].slot, 500);
  times.lower(subjects[0].slot, 5000);
  times.run(1000);
  const twice = subjects.filter(({ checkedAtMs }) => checkedAtMs.join() === "10,1000");
  assert.deepEqual(twice, subjects.filter((_, i) => i % 2 === 0 || i === 1));
});

Deno.test("CheckTimes keeps those apart that leave, also during their check, and those that take their slots", () => {
  const times = new CheckTimes<Subject>(), random = new Random(3), present = new Set<Subject>();
  let left = 0;
  for (let nowMs = 1; nowMs < 2000; nowMs++) {
    if (present.size < 100 && random.chance(0.6)) {
      const subject = new Subject(), leavesAtCheck = random.chance(0.5) ? 3 : Infinity;
      subject.slot = times.add(subject);
      present.add(subject);
      subject.onCheck = () => {
        subject.nextMs += 1 + random.int(50);
        if (subject.checkedAtMs.length < leavesAtCheck) return;
        left++;
        times.remove(subject.slot);
        present.delete(subject);
      };
      subject.nextMs = nowMs;
    }
    const due = [...present].filter(({ nextMs }) => nextMs <= nowMs), before = new Map<Subject, number>();
    for (const subject of present) before.set(subject, subject.checkedAtMs.length);
    times.run(nowMs);
    for (const [subject, count] of before) {
      assert.equal(subject.checkedAtMs.length, due.includes(subject) ? count + 1 : count);
    }
  }
  assert.ok(left > 20 && present.size > 20, `${left} left, ${present.size} stayed`);
});

Deno.test("CheckTimes.lower() of one that is not in any more does nothing", () => {
  const times = new CheckTimes<Subject>(), subject = new Subject();
  times.remove(times.add(subject));
  times.lower(NO_SLOT, 1);
  times.run(10);
  assert.deepEqual(subject.checkedAtMs, []);
});
