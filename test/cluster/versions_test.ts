import assert from "node:assert/strict";
import { compareVersions } from "../../src/cluster/versions.ts";

Deno.test("compareVersions() goes by numbers, puts what comes before a release below it, and takes no version for 0", () => {
  const rising = ["", "0.2.31", "0.3.8", "1.2.1", "1.3.0-alpha", "1.3.0", "1.3.10", "2.0"];
  for (const [at, lower] of rising.entries()) {
    assert.equal(compareVersions(lower, lower), 0);
    for (const higher of rising.slice(at + 1)) {
      assert.ok(compareVersions(lower, higher) < 0, `${lower} < ${higher}`);
      assert.ok(compareVersions(higher, lower) > 0, `${higher} > ${lower}`);
    }
  }
  assert.equal(compareVersions("v1.3.0", "1.3.0+deno"), 0);
  assert.equal(compareVersions("garbage", "0.0.0"), 0);
});
