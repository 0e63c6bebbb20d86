import assert from "node:assert/strict";
import type { TextFile } from "../../scripts/source_files.ts";
import { checkCircles, checkFolders, checkLengths, checkMirror } from "../../scripts/structure_rules.ts";

function source(path: string, body = "", comment = "A part."): TextFile {
  return { path, text: `/** ${comment} */\n${body}` };
}

Deno.test("checkCircles() names each circle of files once, types and dynamic imports included", () => {
  const findings = checkCircles([
    source("src/a/one.ts", `import { x } from "./two.ts";\nimport "../b/other.ts";`),
    source("src/a/two.ts", `import type { Y } from "../b/three.ts";`),
    source("src/b/three.ts", `await import("../a/one.ts");`),
    source("src/b/other.ts", `import "./leaf.ts";`),
    source("src/b/leaf.ts", `import "./not_there.ts";`),
    source("src/b/self.ts", ""),
  ]);
  assert.deepEqual(findings, [
    "src/a/one.ts: imports itself: src/a/one.ts -> src/a/two.ts -> src/b/three.ts -> src/a/one.ts",
  ]);
});

Deno.test("checkCircles() shows the shortest way of a large circle, and its size", () => {
  const findings = checkCircles([
    source("src/a/a.ts", `import "./b.ts";\nimport "./c.ts";`),
    source("src/a/b.ts", `import "./a.ts";`),
    source("src/a/c.ts", `import "./b.ts";`),
  ]);
  assert.deepEqual(findings, [
    "src/a/a.ts: imports itself: src/a/a.ts -> src/a/b.ts -> src/a/a.ts, one circle of 3 files",
  ]);
});

Deno.test("checkMirror() wants a test beside each source, or the name of one that is there", () => {
  const findings = checkMirror([
    source("src/a/tested.ts"),
    source("test/a/tested_test.ts"),
    source("src/a/page.tsx"),
    source("test/a/page_test.tsx"),
    source("src/a/named.ts", "", "A part.\n *\n * Tested in test/a/tested_test.ts."),
    source("src/a/twice.ts", "", "A part. Tested in test/a/tested_test.ts and\n * test/a/page_test.tsx."),
    source("src/a/bare.ts", "/** Tested in test/a/tested_test.ts. */ const x = 1;"),
    source("src/a/wrong.ts", "", "A part. Tested in test/a/tested_test.ts and test/a/gone_test.ts."),
    source("main.ts"),
  ]);
  assert.deepEqual(findings, [
    'src/a/bare.ts: has no test; write test/a/bare_test.ts, or say "Tested in <file>." in its module comment',
    "src/a/wrong.ts: says it is tested in test/a/gone_test.ts, which is not there",
  ]);
});

Deno.test("checkLengths() reports a source of more than 400 lines, unless it is a table", () => {
  const lines = (path: string, count: number) => source(path, "\n".repeat(count - 1));
  assert.deepEqual(checkLengths([lines("src/log/a.ts", 400), lines("test/log/a_test.ts", 900)]), []);
  assert.deepEqual(checkLengths([lines("src/protocol/errors.ts", 500)]), []);
  assert.match(
    checkLengths([lines("src/log/a.ts", 401)]).join(),
    /^src\/log\/a\.ts: has 401 lines, max is 400/,
  );
});

Deno.test("checkFolders() reports a folder with more than 16 files of its own", () => {
  const files = Array.from({ length: 16 }, (_, i) => source(`src/log/a${i}.ts`));
  files.push(source("src/log/deep/b.ts"), source("test/log/c_test.ts"));
  assert.deepEqual(checkFolders(files), []);
  files.push(source("src/log/d.ts"));
  assert.match(checkFolders(files).join(), /^src\/log: has 17 files of its own, max is 16/);
});
