/** What a page loads, and how much of it there is. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Hono } from "hono";
import type { ConsoleEnv } from "../../../src/admin/console.ts";
import { assets, mountAssets } from "../../../src/admin/pages/assets.ts";

const MAX_PAGE_BYTES = 80 * 1024;
const MAX_STYLE_BYTES = 10 * 1024;

function packedBytes(name: string): number {
  return gzipSync(assets.get(name)!.text, { level: 9 }).length;
}

Deno.test("all that a page can load is below 80 KB compressed, its styles below 10 KB", () => {
  const all = [...assets.keys()].reduce((sum, name) => sum + packedBytes(name), 0);
  assert.ok(all < MAX_PAGE_BYTES, `${all} bytes`);
  assert.ok(packedBytes("console.css") < MAX_STYLE_BYTES, `${packedBytes("console.css")} bytes of styles`);
});

Deno.test("no asset fetches from elsewhere or evaluates text", () => {
  for (const [name, { text }] of assets) {
    assert.doesNotMatch(text, /\beval\(|new Function\(/, name);
    const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host);
    assert.deepEqual(hosts.filter((host) => !["www.w3.org", "github.com"].includes(host)), [], name);
  }
});

Deno.test("an asset is compressed for those who take it, and known again by its tag", async () => {
  const app = new Hono<ConsoleEnv>();
  mountAssets(app);
  const plain = await app.request("/static/console.css");
  assert.equal(await plain.text(), assets.get("console.css")!.text);
  const packed = await app.request("/static/console.css", { headers: { "accept-encoding": "gzip" } });
  assert.equal(packed.headers.get("content-encoding"), "gzip");
  assert.equal((await packed.arrayBuffer()).byteLength, packedBytes("console.css"));
  const tag = plain.headers.get("etag")!;
  const again = await app.request("/static/console.css", { headers: { "if-none-match": tag } });
  assert.equal(again.status, 304);
  const missing = await app.request("/static/nothing.js");
  assert.deepEqual([missing.status, await missing.text()], [404, "NOT_FOUND"]);
});
