import assert from "node:assert/strict";
import { takesGzip } from "../../src/http/accepted_encodings.ts";

Deno.test("takesGzip() reads names, weights and the star", () => {
  for (const header of ["gzip", "GZIP", "br, gzip;q=0.5", "deflate;q=1.0, gzip", "*", "br;q=0, *;q=0.1"]) {
    assert.equal(takesGzip(header), true, header);
  }
  for (const header of ["", null, undefined, "identity", "gzip;q=0", "gzip; q=0.0, *", "xgzip", "*;q=0"]) {
    assert.equal(takesGzip(header), false, String(header));
  }
});
