import assert from "node:assert/strict";
import { FileName, type NameSettings, withRevision } from "../../../src/tools/to_file/file_name.ts";
import { ToolError } from "../../../src/tools/tool.ts";

const DATE = new Date(2026, 10, 22, 23);
const settings: NameSettings = {
  topic: "orders",
  filenameFormat: "<TOPIC>.<HOST><REV>.<DATETIME>.log",
  datetimeFormat: "%Y-%m-%d_%H",
  hostIdentifier: "",
  hostname: "vm.example.org",
  pid: 42,
  isGzip: false,
  needsRevision: false,
};

function nameOf(changes: Partial<NameSettings>, revision = 0): string {
  return withRevision(new FileName({ ...settings, ...changes }).at(DATE), revision);
}

Deno.test("FileName gives the names that Go nsq_to_file gives for the same flags", () => {
  const table: [Partial<NameSettings>, string][] = [
    [{}, "orders.vm.2026-11-22_23.log"],
    [{ isGzip: true, needsRevision: true }, "orders.vm-000000.2026-11-22_23.log.gz"],
    [{ needsRevision: true }, "orders.vm-000000.2026-11-22_23.log"],
    [{ filenameFormat: "<TOPIC><REV>.gz", isGzip: true, needsRevision: true }, "orders-000000.gz"],
    [{ filenameFormat: "<DATETIME>/<TOPIC>.<PID>" }, "2026-11-22_23/orders.42"],
    [{ filenameFormat: "<TOPIC>.<TOPIC>" }, "orders.orders"],
    [{ hostIdentifier: "<SHORT_HOST>-<HOSTNAME>-x" }, "orders.vm-vm.example.org-x.2026-11-22_23.log"],
    [{ hostIdentifier: "a" }, "orders.a.2026-11-22_23.log"],
    [{ datetimeFormat: "%Y%m%d" }, "orders.vm.20261122.log"],
    [{ datetimeFormat: "Jan2" }, "orders.vm.Jan2.log"],
  ];
  for (const [changes, name] of table) assert.equal(nameOf(changes), name);
  assert.equal(nameOf({ needsRevision: true }, 12), "orders.vm-000012.2026-11-22_23.log");
  assert.equal(nameOf({ needsRevision: true }, 1_234_567), "orders.vm-1234567.2026-11-22_23.log");
});

Deno.test("FileName refuses a format without the revision where files have to be kept apart", () => {
  assert.throws(
    () => nameOf({ filenameFormat: "<TOPIC>.log", needsRevision: true }),
    new ToolError("missing <REV> in --filename-format when gzip, rotation, or work dir enabled"),
  );
});

Deno.test("FileName.pattern knows the files of its topic, of any time, process and revision, and no others", () => {
  const { pattern } = new FileName({ ...settings, needsRevision: true });
  assert.equal(pattern.exec("orders.vm-000017.2025-01-02_03.log")?.groups?.revision, "-000017");
  for (
    const other of [
      "orders.vm.2025-01-02_03.log",
      "orders2.vm-000017.2025-01-02_03.log",
      "orders.vm-000017.2025-01-02_03.log.gz",
      "a/orders.vm-000017.2025-01-02_03.log",
    ]
  ) assert.doesNotMatch(other, pattern);
  const withPid = new FileName({
    ...settings,
    filenameFormat: "<DATETIME>/<TOPIC>.<PID><REV>",
    needsRevision: true,
  });
  assert.match("2025-01-02_03/orders.77-000000", withPid.pattern);
});
