import assert from "node:assert/strict";
import { DiskHealth } from "../../src/durability/disk_health.ts";
import { Logger } from "../../src/log/logger.ts";

Deno.test("DiskHealth.failure holds until the same action succeeds, and is logged when it begins and ends", () => {
  const lines: string[] = [];
  const health = new DiskHealth(
    new Logger("info", "", (line) => lines.push(line.replace(/^\S+ \S+ /, "").trimEnd())),
  );
  const reason = () => health.failure?.message ?? null;
  const refuse = (text: string) => () => {
    throw new Error(text);
  };
  health.guard("roll the log", () => {});
  assert.equal(reason(), null);
  health.guard("roll the log", refuse("full"));
  health.guard("roll the log", refuse("full still"));
  health.failed("sync", new Error("bad sector"));
  assert.equal(reason(), "full still");
  assert.ok(health.isFailing("sync"));
  health.guard("write positions", () => {});
  health.guard("roll the log", () => {});
  assert.equal(reason(), "bad sector");
  health.worked("sync");
  assert.equal(reason(), null);
  assert.deepEqual(lines, [
    "ERROR: LOG: failed to roll the log - full",
    "ERROR: LOG: failed to sync - bad sector",
    "INFO: LOG: roll the log works again",
    "INFO: LOG: sync works again",
  ]);
});
