import assert from "node:assert/strict";
import { HttpError } from "../../src/http/errors.ts";
import { Query } from "../../src/http/query.ts";

Deno.test("Query.get() takes the first value, and tells an empty one from none", () => {
  const query = new Query("topic=a&topic=b&&channel&empty=&=x&eq=a=b");
  assert.equal(query.get("topic"), "a");
  assert.equal(query.get("channel"), "");
  assert.equal(query.get("empty"), "");
  assert.equal(query.get(""), "x");
  assert.equal(query.get("eq"), "a=b");
  assert.equal(query.get("node"), undefined);
  assert.equal(new Query("").get("topic"), undefined);
});

Deno.test("Query.get() undoes escapes in keys and values, + among them", () => {
  const query = new Query("a+b=c%20d+e&t%6Fpic=x%23ephemeral&u=%C3%A4&raw=ä&plus=%2B&bytes=%ff%41");
  assert.equal(query.get("a b"), "c d e");
  assert.equal(query.get("topic"), "x#ephemeral");
  assert.equal(query.get("u"), "ä");
  assert.equal(query.get("raw"), "ä");
  assert.equal(query.get("plus"), "+");
  assert.equal(query.get("bytes"), "\ufffdA", "bytes that are no UTF-8 are no bad escape");
});

Deno.test("new Query() refuses a bad escape and a raw ; wherever it is", () => {
  for (
    const text of [
      "topic=%zz",
      "a=1&b=%",
      "a=%4",
      "%g0=1",
      "a=%ff%",
      "a=1;b=2",
      "topic=a&;",
      "a=% 1",
      "a=%+1",
    ]
  ) {
    assert.throws(
      () => new Query(text),
      (error) => error instanceof HttpError && error.status === 400 && error.code === "INVALID_REQUEST",
      text,
    );
  }
});
