import assert from "node:assert/strict";
import { checkHouseRules, type TextFile } from "../../scripts/house_rules.ts";

/** Source text that breaks no rule, with `body` below its comment. */
function source(path: string, body = ""): TextFile {
  return { path, text: `/** A part. */\n${body}` };
}

function check(...files: TextFile[]): string[] {
  return checkHouseRules(files, "1.2.3");
}

Deno.test("checkHouseRules() finds nothing in a tree that keeps the rules", () => {
  const findings = check(
    source("main.ts", `import { main } from "./src/cli/commands.ts";\nimport "./src/version.ts";\n`),
    source(
      "src/cli/commands.ts",
      `import "../broker/topic.ts";\nconst p = await import("../nsqd/http.ts");\n`,
    ),
    source("src/broker/topic.ts", `import type { Block } from "../storage/block.ts";\n`),
    source("src/version.ts"),
    source("src/storage/block.ts", `export {\n  a,\n} from "../protocol/message.ts";\n`),
    source("src/log/logger.ts", `import { Clock } from "../clock/clock.ts";\nimport "node:fs";\n`),
    { path: "README.md", text: "Run `npx -y deno@1.2.3 task nsqd`, see https://example.com/work/x\n" },
    { path: "deno.lock", text: `{ "version": "5" }\n` },
  );
  assert.deepEqual(findings, []);
});

const IMPORTS_AGAINST_THE_DIRECTION: [file: string, statement: string, finding: RegExp][] = [
  ["src/broker/topic.ts", `import { x } from "../nsqd/http.ts";`, /:2: imports .*broker may not import nsqd/],
  ["src/broker/topic.ts", `export type {\n  x,\n} from "../cli/a.ts";`, /:4: .*broker may not import cli/],
  ["src/protocol/frame.ts", `import "../storage/block.ts";`, /protocol may not import storage/],
  ["src/log/logger.ts", `await import("../broker/topic.ts");`, /log may not import broker/],
  ["src/cli/commands.ts", `import "../../main.ts";`, /only files of a layer/],
  [
    "src/cli/commands.ts",
    `import "../../test/support/fake_clock.ts";`,
    /only files of a layer/,
  ],
  ["src/queue/queue.ts", `import "../log/logger.ts";`, /this file is in no layer/],
];

for (const [file, statement, finding] of IMPORTS_AGAINST_THE_DIRECTION) {
  Deno.test(`checkHouseRules() reports ${statement.replaceAll("\n", " ")} in ${file}`, () => {
    const findings = check(source(file, statement));
    assert.equal(findings.length, 1);
    assert.match(findings[0], finding);
  });
}

Deno.test("checkHouseRules() reports every import on a cycle of folders of one layer", () => {
  const findings = check(
    source("src/options/a.ts", `import "../log/b.ts";`),
    source("src/log/b.ts", `import "../clock/c.ts";`),
    source("src/clock/c.ts", `import "../options/d.ts";`),
    source("src/options/d.ts"),
    source("src/broker/e.ts", `import "../client/f.ts";`),
  );
  assert.deepEqual(findings, [
    "src/clock/c.ts:2: imports src/options/d.ts: the folders form a cycle: clock -> options -> log -> clock",
    "src/log/b.ts:2: imports src/clock/c.ts: the folders form a cycle: log -> clock -> options -> log",
    "src/options/a.ts:2: imports src/log/b.ts: the folders form a cycle: options -> log -> clock -> options",
  ]);
});

const BROKEN_FILES: [name: string, file: TextFile, finding: RegExp][] = [
  ["a mark of unfinished work", source("src/log/a.ts", "// TODO later"), /a\.ts:2: contains "TODO"/],
  ["work put off", source("src/log/a.ts", "// Enough for now."), /contains "for now"/],
  [
    "a source without a comment",
    { path: "src/log/a.ts", text: "const a = 1;\n" },
    /starts without a comment/,
  ],
  ["a nameless folder", source("test/helpers/a.ts"), /in a folder named helpers/],
  ["a camelCase file", source("scripts/runAll.ts"), /not named in snake_case/],
  ["a registry", { path: "docs.md", text: "https://registry" + ".example.com/x" }, /no registry/],
  ["a path of one machine", { path: "a.json", text: `"/home` + `/me/x"` }, /a path of one machine/],
  [
    "another Deno version",
    { path: "README.md", text: "a\ndeno@1.2.4 task" },
    /README\.md:2: says deno@1\.2\.4/,
  ],
  ["a README without the version", { path: "README.md", text: "Hello\n" }, /names no deno@1\.2\.3/],
  ["a host in the lock file", { path: "deno.lock", text: "http://example.com/a.tgz" }, /names no host/],
];

for (const [name, file, finding] of BROKEN_FILES) {
  Deno.test(`checkHouseRules() reports ${name}`, () => {
    const findings = check(file);
    assert.equal(findings.length, 1, findings.join("\n"));
    assert.match(findings[0], finding);
  });
}
