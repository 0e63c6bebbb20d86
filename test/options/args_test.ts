import assert from "node:assert/strict";
import { parseArgs, UsageError } from "../../src/options/args.ts";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import type { OptionTable, OptionValue } from "../../src/options/option.ts";

const table = [
  { name: "quiet", group: "G", kind: "bool", default: false, help: "" },
  { name: "count", group: "G", kind: "int", default: 0, help: "" },
  { name: "size", group: "G", kind: "bytes", default: 0, help: "" },
  { name: "wait", group: "G", kind: "duration", default: 0, help: "" },
  { name: "path", group: "G", kind: "string", default: "", help: "" },
  { name: "strict", group: "G", kind: "bool or word", word: "half", default: false, help: "" },
  {
    name: "age",
    group: "G",
    kind: "enum",
    values: ["old", "new"],
    default: "old",
    emptyMeans: "old",
    help: "",
  },
  { name: "level", group: "G", kind: "enum", values: ["low", "high"], default: "low", help: "" },
  { name: "peer", group: "G", kind: "string list", default: [], help: "" },
  { name: "quantile", group: "G", kind: "float list", default: [], help: "" },
] as const satisfies OptionTable;

function parse(...args: string[]): Record<string, OptionValue> {
  const { given, wantsHelp } = parseArgs(table, args);
  assert.equal(wantsHelp, false);
  return Object.fromEntries([...given].map(([option, value]) => [option.name, value]));
}

function usageError(...args: string[]): string {
  try {
    parseArgs(table, args);
  } catch (cause) {
    assert.ok(cause instanceof UsageError);
    return cause.message;
  }
  assert.fail(`no error for ${args.join(" ")}`);
}

Deno.test("parseArgs() takes one or two dashes, and values after = or in the next word", () => {
  for (const args of [["-count=5"], ["--count=5"], ["-count", "5"], ["--count", "5"]]) {
    assert.deepEqual(parse(...args), { count: 5 }, args.join(" "));
  }
  assert.deepEqual(parse("--path="), { path: "" });
  assert.deepEqual(parse("--path", ""), { path: "" });
  assert.deepEqual(parse("--path=a=b"), { path: "a=b" });
  assert.deepEqual(parse("--path", "-quiet"), { path: "-quiet" });
  assert.deepEqual(parse(), {});
});

Deno.test("parseArgs() takes a bool from its name alone or after =", () => {
  assert.deepEqual(parse("-quiet"), { quiet: true });
  assert.deepEqual(parse("-quiet=F", "-count=1"), { quiet: false, count: 1 });
});

Deno.test("parseArgs() takes a bool or a word from its name alone or after =", () => {
  assert.deepEqual(parse("-strict"), { strict: true });
  for (const word of ["half", "Half", "HALF"]) assert.deepEqual(parse(`-strict=${word}`), { strict: "half" });
  for (const word of ["1", "t", "TRUE", "tRuE"]) assert.deepEqual(parse(`-strict=${word}`), { strict: true });
  for (const word of ["0", "F", "false"]) assert.deepEqual(parse(`--strict=${word}`), { strict: false });
  const expected = 'invalid boolean value "maybe" for flag -strict: parse error: use true, false or half';
  assert.equal(usageError("-strict=maybe"), expected);
  assert.match(usageError("-strict", "half"), /did you mean -strict=half\?$/);
});

Deno.test("parseArgs() takes the empty text for an enum only where that means something", () => {
  assert.deepEqual(parse("-age="), { age: "old" });
  assert.match(usageError("-level="), /use one of low, high$/);
});

Deno.test("parseArgs() reads each kind of value", () => {
  assert.deepEqual(
    parse("-count=0x10", "-size=1KiB", "-wait=1m30s", "-level=HIGH", "-quantile=1.0,0.5", "-peer=a:1"),
    { count: 16, size: 1024, wait: 90_000, level: "high", quantile: [1, 0.5], peer: ["a:1"] },
  );
});

Deno.test("parseArgs() lets the last flag win and collects lists", () => {
  assert.deepEqual(parse("-count=1", "-count=2"), { count: 2 });
  assert.deepEqual(parse("-peer=a:1", "-count=2", "-peer", "b:1,c:1"), {
    count: 2,
    peer: ["a:1", "b:1,c:1"],
  });
  assert.deepEqual(parse("-quantile=1", "-quantile=0.5,0.25"), { quantile: [1, 0.5, 0.25] });
});

Deno.test("parseArgs() stops at a flag for help, but not past an error before it", () => {
  for (const flag of ["-h", "--h", "-help", "--help"]) {
    assert.equal(parseArgs(table, ["-count=1", flag, "-bogus"]).wantsHelp, true, flag);
    assert.match(usageError("-bogus", flag), /^flag provided but not defined/);
  }
});

Deno.test("parseArgs() says which flag is unknown and which may be meant", () => {
  assert.equal(usageError("-bogus"), "flag provided but not defined: -bogus");
  assert.equal(usageError("--bogus=1"), "flag provided but not defined: -bogus");
  assert.equal(usageError("--cuont=1"), "flag provided but not defined: -cuont, did you mean -count?");
  assert.equal(usageError("--Count=1"), "flag provided but not defined: -Count, did you mean -count?");
  const unknown = () => parseArgs(nsqdOptions, ["--mem_queue_size=5"]);
  assert.throws(unknown, { message: /-mem_queue_size, did you mean -mem-queue-size\?$/ });
});

Deno.test("parseArgs() refuses missing and unreadable values and bad syntax", () => {
  const errors: [string[], string | RegExp][] = [
    [["-count"], "flag needs an argument: -count"],
    [["-quiet", "--path"], "flag needs an argument: -path"],
    [["---x"], "bad flag syntax: ---x"],
    [["-=5"], "bad flag syntax: -=5"],
    [["--=5"], "bad flag syntax: --=5"],
    [["-count=abc"], 'invalid value "abc" for flag -count: parse error: use a whole number'],
    [["-count="], 'invalid value "" for flag -count: parse error: use a whole number'],
    [
      ["-quiet=maybe"],
      'invalid boolean value "maybe" for flag -quiet: parse error: use true or false',
    ],
    [["-wait=90"], /^invalid value "90" for flag -wait: parse error: 90 has no unit, write for example 90s/],
    [["-size=1XB"], /^invalid value "1XB" for flag -size: parse error: use a number of bytes/],
    [["-level=warning"], 'invalid value "warning" for flag -level: parse error: use one of low, high'],
    [["-quantile=abc"], /^invalid value "abc" for flag -quantile: parse error: use numbers/],
  ];
  for (const [args, expected] of errors) {
    if (typeof expected === "string") assert.equal(usageError(...args), expected);
    else assert.match(usageError(...args), expected);
  }
});

Deno.test("parseArgs() names a stray word, because the flags after it would be lost", () => {
  const message = (word: string) => `unexpected argument "${word}": only flags are allowed here`;
  assert.equal(usageError("word", "-count=1"), message("word"));
  assert.equal(usageError("-count=1", "2"), message("2"));
  assert.equal(usageError("-"), message("-"));
  assert.equal(usageError("-count=1", "--", "-path=x"), message("-path=x"));
  assert.equal(usageError("-quiet", "false"), `${message("false")}, did you mean -quiet=false?`);
  assert.deepEqual(parse("-count=1", "--"), { count: 1 });
});
