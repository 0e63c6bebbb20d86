import assert from "node:assert/strict";
import { AuditLog } from "../../../src/admin/actions/audit_log.ts";
import type { ActionRecord } from "../../../src/admin/model/action.ts";
import { Logger } from "../../../src/log/logger.ts";

function recordOf(id: string, extra: Partial<ActionRecord> = {}): ActionRecord {
  return {
    id,
    atMs: 1,
    user: "ann",
    remoteAddress: "1.2.3.4:5",
    kind: "pause",
    target: "orders",
    isOk: true,
    message: "",
    results: [{ kind: "nsqd", target: "n:1", isOk: true, error: "" }],
    undoUntilMs: 99,
    ...extra,
  };
}

async function withFile(run: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(`${directory}/audit.jsonl`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const quiet = new Logger("fatal", "", () => {});

Deno.test("AuditLog keeps its records in a file, and knows them after a restart, but not how to undo them", async () => {
  await withFile(async (path) => {
    const first = await AuditLog.open(path, quiet);
    first.add(recordOf("a"));
    first.add(recordOf("b", { isOk: false, message: "WARNING: x\ny" }));
    if (Deno.build.os !== "windows") assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    const second = await AuditLog.open(path, quiet);
    assert.deepEqual(second.list(9), [
      recordOf("b", { isOk: false, message: "WARNING: x\ny", undoUntilMs: null }),
      recordOf("a", { undoUntilMs: null }),
    ]);
    second.add(recordOf("c"));
    assert.deepEqual(second.list(2).map(({ id }) => id), ["c", "b"]);
    assert.deepEqual(second.list(2, "b").map(({ id }) => id), ["a"]);
    assert.equal(Deno.readTextFileSync(path).split("\n").length, 4);
  });
});

Deno.test("AuditLog leaves lines out that were cut off, and holds the last thousand", async () => {
  await withFile(async (path) => {
    const lines = [...Array(1_200).keys()].map((at) => JSON.stringify(recordOf(`${at}`)));
    await Deno.writeTextFile(path, `${lines.join("\n")}\n{"id":"torn`);
    const log = await AuditLog.open(path, quiet);
    assert.deepEqual([log.list(5_000).length, log.list(1)[0].id], [999, "1199"]);
    log.add(recordOf("new"));
    log.add(recordOf("newer"));
    assert.equal(log.list(5_000).length, 1_000);
  });
});

Deno.test("AuditLog says in the log who did what, and that its file cannot be written", async () => {
  const lines: string[] = [];
  const log = new AuditLog("/nowhere/audit", new Logger("info", "", (line) => lines.push(line)));
  log.add(recordOf("a", { user: "", isOk: false, message: "all\nbroken" }));
  assert.match(lines[0], /INFO: AUDIT: somebody \(1\.2\.3\.4:5\) pause orders - "all\\+nbroken"\n$/);
  assert.match(lines[1], /ERROR: failed to write the audit log \/nowhere\/audit - /);
  await assert.rejects(AuditLog.open("/nowhere/audit", quiet));
  const ids = new Set([...Array(50).keys()].map(() => log.nextId(5)));
  assert.equal(ids.size, 50);
});
