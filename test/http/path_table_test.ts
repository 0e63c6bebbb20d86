import assert from "node:assert/strict";
import { PathTable } from "../../src/http/path_table.ts";

function tableOf(...routes: [method: string, path: string][]): PathTable {
  const table = new PathTable();
  for (const [method, path] of routes) table.add(method, path);
  return table;
}

Deno.test("PathTable.allow() sorts the methods of a path, OPTIONS among them", () => {
  const table = tableOf(["PUT", "/config/:opt"], ["GET", "/config/:opt"], ["POST", "/pub"]);
  assert.equal(table.allow("/config/log_level"), "GET, OPTIONS, PUT");
  assert.equal(table.allow("/pub"), "OPTIONS, POST");
  for (const path of ["/", "/config", "/config/", "/config/a/b", "/PUB", "/pub/", "//pub"]) {
    assert.equal(table.allow(path), undefined, path);
  }
});

Deno.test("PathTable.canonical() finds paths below a prefix, and the prefix itself", () => {
  const table = tableOf(["GET", "/adm"], ["GET", "/adm/topics/:topic/:channel"], [
    "DELETE",
    "/adm/topics/:topic",
  ]);
  const cases: [string, string, string | undefined][] = [
    ["GET", "/adm/", "/adm"],
    ["GET", "//ADM//", "/adm"],
    ["GET", "/adm", undefined],
    ["GET", "/", undefined],
    ["GET", "/adm/Topics/Orders/Billing/", "/adm/topics/Orders/Billing"],
    ["DELETE", "/adm/topics/t%23ephemeral/", "/adm/topics/t%23ephemeral"],
    ["DELETE", "/adm/", undefined],
    ["GET", "/topics/orders/billing/", undefined],
  ];
  for (const [method, path, expected] of cases) assert.equal(table.canonical(method, path), expected, path);
});

Deno.test("PathTable knows the root", () => {
  const table = tableOf(["GET", "/"]);
  assert.equal(table.allow("/"), "GET, OPTIONS");
  assert.equal(table.canonical("GET", "//"), "/");
  assert.equal(table.canonical("GET", "/.."), "/");
  assert.equal(table.canonical("GET", "/"), undefined);
});
