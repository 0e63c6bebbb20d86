import assert from "node:assert/strict";
import { Logger } from "../../src/log/logger.ts";
import { AcceptFailures } from "../../src/net/accept_failures.ts";
import { FakeClock } from "../support/fake_clock.ts";

function newFailures(): { failures: AcceptFailures; clock: FakeClock; lines: string[] } {
  const clock = new FakeClock(), lines: string[] = [];
  return {
    failures: new AcceptFailures(new Logger("info", "", (line) => lines.push(line)), "TCP", clock),
    clock,
    lines,
  };
}

Deno.test("AcceptFailures.failed() asks for pauses that grow from 5 ms to a second, and are short again after a success", () => {
  const { failures } = newFailures();
  const pauses = Array.from({ length: 10 }, () => failures.failed(new Error("no more")));
  assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
  failures.worked();
  assert.equal(failures.failed(new Error("no more")), 5);
});

Deno.test("AcceptFailures logs at most one line a second, which says how many it stands for", () => {
  const { failures, clock, lines } = newFailures();
  for (let i = 0; i < 3; i++) failures.failed(new Error("too many open files"));
  assert.equal(lines.length, 1);
  assert.match(lines[0], /ERROR: TCP: accept failed - too many open files\n$/);
  clock.advance(999);
  failures.failed(new Error("too many open files"));
  failures.worked();
  assert.equal(lines.length, 1);
  clock.advance(1);
  failures.failed(new Error("too many open files"));
  assert.match(lines[1], /too many open files, and 3 times since the last line\n$/);
});
