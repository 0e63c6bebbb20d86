import assert from "node:assert/strict";
import { startAdmin } from "../fixtures.ts";

Deno.test("--dev-static-dir serves the files of one directory, by their types, and no others", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/in`);
    await Deno.writeTextFile(`${directory}/secret.txt`, "secret");
    const types: Record<string, string> = {
      "a.css": "text/css; charset=utf-8",
      "a.js": "text/javascript; charset=utf-8",
      "a.map": "application/json",
      "a.svg": "image/svg+xml",
      "a.woff": "application/font-woff",
      "a.woff2": "font/woff2",
      "a.ttf": "application/font-sfnt",
      "a.eot": "application/vnd.ms-fontobject",
      "a": "application/octet-stream",
    };
    for (const name of Object.keys(types)) await Deno.writeTextFile(`${directory}/in/${name}`, name);
    await using admin = await startAdmin([
      "--lookupd-http-address=127.0.0.1:1",
      `--dev-static-dir=${directory}/in`,
    ]);
    for (const [name, type] of Object.entries(types)) {
      for (const folder of ["static", "fonts"]) {
        const response = await admin.request("GET", `/${folder}/${name}`);
        assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
        assert.equal(await response.text(), name);
      }
    }
    for (
      const path of ["/static/nope.css", "/static/..%2Fsecret.txt", "/static/..%5Csecret.txt", "/static/%00"]
    ) {
      assert.match(await admin.ask("GET", path), /^404 .*NOT_FOUND/, path);
    }
    assert.equal(await admin.ask("GET", "/static/in/a.css"), '404 {"message":"NOT_FOUND"}');
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
