import assert from "node:assert/strict";
import { Logger } from "../../../src/log/logger.ts";
import { formatPlain } from "../../../src/log/plain_format.ts";
import { percentile, StatusLog } from "../../../src/tools/spread/status_log.ts";

function collecting(): { lines: string[]; logger: Logger } {
  const lines: string[] = [];
  const sink = (line: string) => void lines.push(line.slice("2026/11/22 23:00:00 ".length).trimEnd());
  return { lines, logger: new Logger("info", "", sink, undefined, formatPlain) };
}

Deno.test("StatusLog tells after one more than so many requests, for all and for each host of several", () => {
  const { lines, logger } = collecting();
  const log = new StatusLog(100, ["a:1", "b:2"], logger);
  for (let i = 1; i <= 100; i++) log.add(0, i);
  assert.deepEqual(lines, []);
  log.add(0, 101);
  assert.deepEqual(lines, [
    "[a:1]: finished 101 - 99th: 101ms - 95th: 98ms - avg: 51ms",
    "[aggregate]: finished 101 - 99th: 101ms - 95th: 98ms - avg: 51ms",
  ]);
});

Deno.test("StatusLog with one host tells of all only, and warns where percentiles say little", () => {
  const { lines, logger } = collecting();
  const log = new StatusLog(1, ["a:1"], logger);
  log.add(0, 4.8904);
  log.add(0, 4.8904);
  assert.deepEqual(lines, [
    "Warning: use more than 100 status values for accurate percentiles (configured with 1)",
    "[aggregate]: finished 2 - 99th: 4.89ms - 95th: 4.89ms - avg: 4.89ms",
  ]);
});

Deno.test("StatusLog says nothing when it is switched off", () => {
  const { lines, logger } = collecting();
  const log = new StatusLog(0, ["a:1"], logger);
  for (let i = 0; i < 1_000; i++) log.add(0, 1);
  assert.deepEqual(lines, []);
});

Deno.test("percentile() counts as NSQ's utilities do", () => {
  assert.equal(percentile(0.99, [1]), 1);
  assert.equal(percentile(0.5, [1, 2, 3, 4]), 4);
  assert.equal(percentile(0.95, Array.from({ length: 1_000 }, (_, i) => i)), 951);
});
