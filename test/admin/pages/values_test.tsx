import assert from "node:assert/strict";
import { Live } from "../../../src/admin/pages/components/values.tsx";
import { finishPage, splitPage } from "../../../src/admin/pages/live.ts";

for (const text of ['a<b & "c"', "\u0001x\u0002", "worker\u0002 of \u0001\u0004", "line\nline"]) {
  Deno.test(`Live shows ${JSON.stringify(text)} as it is, to a page and to a stream`, () => {
    const html = String(<Live text={text} />);
    assert.deepEqual(splitPage(html).values, [text]);
    const page = finishPage(html, 0, "utc");
    assert.match(page, /^<span data-n="">[^<>"]*<\/span>$/);
    assert.ok(!page.includes("\u0001") && !page.includes("\u0002"));
  });
}
