/**
 * Holds the options of the utilities against those of NSQ's, restated here with kind and default, and what each refuses
 * against its texts, in the order in which they are checked. That each flag acts is shown by the tests of its utility.
 */
import assert from "node:assert/strict";
import { commands } from "../../src/cli/commands.ts";
import { UsageError } from "../../src/options/args.ts";
import { examineOptions } from "../../src/options/merge.ts";
import { defaultOf, type Option, type OptionTable } from "../../src/options/option.ts";
import { pubTool } from "../../src/tools/pub/pub.ts";
import { statTool } from "../../src/tools/stat/stat.ts";
import { tailTool } from "../../src/tools/tail/tail.ts";
import { toFileTool } from "../../src/tools/to_file/to_file.ts";
import { toHttpTool } from "../../src/tools/to_http/to_http.ts";
import { toNsqTool } from "../../src/tools/to_nsq/to_nsq.ts";
import { type Tool, ToolError } from "../../src/tools/tool.ts";

type Row = [name: string, kind: Option["kind"], fallback: unknown];

const SECOND = 1_000;
const machine = { hostname: () => "vm", memoryBytes: () => 2 ** 33 };

const VERSION: Row = ["version", "bool", false];
const ADDRESSES: Row[] = [["nsqd-tcp-address", "string list", []], [
  "lookupd-http-address",
  "string list",
  [],
]];
const CONSUMER: Row[] = [["max-in-flight", "int", 200], ["consumer-opt", "string list", []]];
const timeouts = (request: number): Row[] => [
  ["http-client-connect-timeout", "duration", 2 * SECOND],
  ["http-client-request-timeout", "duration", request],
];

// deno-lint-ignore no-explicit-any -- tools of different tables stand in one list
type AnyTool = Tool<any>;

interface Case {
  tool: AnyTool;
  aliases: string[];
  /** Flags of NSQ's utility. */
  flags: Row[];
  /** What ours has besides. */
  ours: string[];
  /** The words of the command line, and the text of the refusal. */
  refusals: [string, string][];
}

const PAIR_MISSING = "--nsqd-tcp-address or --lookupd-http-address required";
const PAIR_BOTH = "use --nsqd-tcp-address or --lookupd-http-address not both";

const cases: Record<string, Case> = {
  stat: {
    tool: statTool,
    aliases: ["nsq_stat"],
    flags: [
      VERSION,
      ["topic", "string", ""],
      ["channel", "string", ""],
      ["nsqd-http-address", "string list", []],
      ["lookupd-http-address", "string list", []],
      ["interval", "duration", 2 * SECOND],
      ["count", "int", 0],
      ...timeouts(5 * SECOND),
    ],
    ours: ["config", "json", "live", "sort"],
    refusals: [
      ["", "--topic and --channel are required"],
      ["--topic=t", "--topic and --channel are required"],
      ["--topic=t --channel=c --interval=0", "--interval should be positive"],
      [
        "--topic=t --channel=c --http-client-connect-timeout=0",
        "--http-client-connect-timeout should be positive",
      ],
      [
        "--topic=t --channel=c --http-client-request-timeout=-1s",
        "--http-client-request-timeout should be positive",
      ],
      ["--topic=t --channel=c --count=-1", "--count should be positive"],
      ["--topic=t --channel=c", "--nsqd-http-address or --lookupd-http-address required"],
      [
        "--topic=t --channel=c --nsqd-http-address=a:1 --lookupd-http-address=b:1",
        "use --nsqd-http-address or --lookupd-http-address not both",
      ],
      [
        "--topic=t --channel=c --nsqd-http-address=http://a:1",
        "--nsqd-http-address error - address should not contain scheme",
      ],
      [
        "--topic=t --channel=c --lookupd-http-address=https://a:1",
        "--lookupd-http-address error - address should not contain scheme",
      ],
      [
        "--topic=t --channel=c --lookupd-http-address=localhost",
        '--lookupd-http-address "localhost": missing port',
      ],
      ["--json --live", "use --live or --json not both"],
    ],
  },
  tail: {
    tool: tailTool,
    aliases: ["nsq_tail"],
    flags: [
      VERSION,
      ["topic", "string list", []],
      ["channel", "string", ""],
      ...ADDRESSES,
      ["n", "int", 0],
      ["print-topic", "bool", false],
      ...CONSUMER,
    ],
    ours: ["config", "filter", "json"],
    refusals: [
      ["", PAIR_MISSING],
      ["--topic=t --nsqd-tcp-address=a:1 --lookupd-http-address=b:1", PAIR_BOTH],
      ["--nsqd-tcp-address=a:1", "--topic required"],
      ["--nsqd-tcp-address=a:1 --topic=bad!", "invalid topic name"],
      ["--nsqd-tcp-address=a:1 --topic=t --channel=bad!", "invalid channel name"],
      ["--nsqd-tcp-address=a:1 --topic=t -n=-1", "-n should not be negative"],
      ["--nsqd-tcp-address=a --topic=t", '--nsqd-tcp-address "a": missing port'],
    ],
  },
  "to-file": {
    tool: toFileTool,
    aliases: ["nsq_to_file"],
    flags: [
      VERSION,
      ["topic", "string list", []],
      ["topic-pattern", "string", ""],
      ["topic-refresh", "duration", 60 * SECOND],
      ["channel", "string", "nsq_to_file"],
      ...ADDRESSES,
      ...CONSUMER,
      ...timeouts(5 * SECOND),
      ["log-level", "enum", "info"],
      ["log-prefix", "string", "[nsq_to_file] "],
      ["output-dir", "string", "/tmp"],
      ["work-dir", "string", ""],
      ["datetime-format", "string", "%Y-%m-%d_%H"],
      ["filename-format", "string", "<TOPIC>.<HOST><REV>.<DATETIME>.log"],
      ["host-identifier", "string", ""],
      ["gzip", "bool", false],
      ["gzip-level", "int", 6],
      ["skip-empty-files", "bool", false],
      ["rotate-size", "bytes", 0],
      ["rotate-interval", "duration", 0],
      ["sync-interval", "duration", 30 * SECOND],
    ],
    ours: ["config"],
    refusals: [
      ["--channel=", "--channel is required"],
      ["--http-client-connect-timeout=0", "--http-client-connect-timeout should be positive"],
      ["--http-client-request-timeout=0", "--http-client-request-timeout should be positive"],
      ["", `${PAIR_MISSING}.`],
      ["--nsqd-tcp-address=a:1 --lookupd-http-address=b:1", PAIR_BOTH],
      ["--nsqd-tcp-address=a:1 --gzip-level=0", "invalid --gzip-level value (0), should be 1-9"],
      ["--nsqd-tcp-address=a:1 --gzip-level=10", "invalid --gzip-level value (10), should be 1-9"],
      ["--nsqd-tcp-address=a:1", "--topic or --topic-pattern required"],
      [
        "--nsqd-tcp-address=a:1 --topic-pattern=.",
        "--lookupd-http-address must be specified when no --topic specified",
      ],
      [
        "--nsqd-tcp-address=a:1 --topic=t --gzip --filename-format=x",
        "missing <REV> in --filename-format when gzip, rotation, or work dir enabled",
      ],
      ["--nsqd-tcp-address=a:1 --topic=bad!", "invalid topic name"],
      ["--nsqd-tcp-address=a:1 --topic=t --sync-interval=0", "--sync-interval should be positive"],
    ],
  },
  "to-http": {
    tool: toHttpTool,
    aliases: ["nsq_to_http"],
    flags: [
      VERSION,
      ["topic", "string", ""],
      ["channel", "string", "nsq_to_http"],
      ...ADDRESSES,
      ...CONSUMER,
      ["n", "int", 100],
      ["post", "string list", []],
      ["get", "string list", []],
      ["mode", "string", "hostpool"],
      ["sample", "float", 1],
      ["header", "string list", []],
      ["content-type", "string", "application/octet-stream"],
      ...timeouts(20 * SECOND),
      ["status-every", "int", 250],
    ],
    ours: ["config"],
    refusals: [
      ["--header=a=b", "--header value format should be 'key=value'"],
      ["--header=a:b", "--topic and --channel are required"],
      ["--topic=t --channel=", "--topic and --channel are required"],
      ["--topic=t --content-type=a/b", "--content-type only used with --post"],
      ["--topic=t --content-type= --post=http://h/", "--content-type requires a value when used"],
      ["--topic=t --post=http://h/", PAIR_MISSING],
      ["--topic=t --nsqd-tcp-address=a:1 --lookupd-http-address=b:1", PAIR_BOTH],
      ["--topic=t --nsqd-tcp-address=a:1", "--get or --post required"],
      ["--topic=t --nsqd-tcp-address=a:1 --get=http://h/%s --post=http://h/", "use --get or --post not both"],
      ["--topic=t --nsqd-tcp-address=a:1 --get=http://h/", "invalid GET address - must be a printf string"],
      [
        "--topic=t --nsqd-tcp-address=a:1 --post=http://h/ --sample=1.5",
        "ERROR: --sample must be between 0.0 and 1.0",
      ],
      [
        "--topic=t --nsqd-tcp-address=a:1 --post=h:1",
        '--post "h:1" is no URL that begins with http:// or https://',
      ],
      ["--topic=bad! --nsqd-tcp-address=a:1 --post=http://h/", "invalid topic name"],
    ],
  },
  "to-nsq": {
    tool: toNsqTool,
    aliases: ["nsq_to_nsq"],
    flags: [
      VERSION,
      ["topic", "string list", []],
      ["channel", "string", "nsq_to_nsq"],
      ["destination-topic", "string", ""],
      ...ADDRESSES,
      ["destination-nsqd-tcp-address", "string list", []],
      ...CONSUMER,
      ["mode", "string", "hostpool"],
      ["status-every", "int", 250],
      ["require-json-field", "string", ""],
      ["require-json-value", "string", ""],
      ["whitelist-json-field", "string list", []],
      ["producer-opt", "string list", []],
    ],
    ours: ["config"],
    refusals: [
      ["", "--topic and --channel are required"],
      ["--topic=t --channel=", "--topic and --channel are required"],
      ["--topic=bad!", "--topic is invalid"],
      ["--topic=t --destination-topic=bad!", "--destination-topic is invalid"],
      ["--topic=t --channel=bad!", "--channel is invalid"],
      ["--topic=t", PAIR_MISSING],
      ["--topic=t --nsqd-tcp-address=a:1 --lookupd-http-address=b:1", PAIR_BOTH],
      ["--topic=t --nsqd-tcp-address=a:1", "--destination-nsqd-tcp-address required"],
      [
        "--topic=t --nsqd-tcp-address=a:1 --destination-nsqd-tcp-address=b",
        '--destination-nsqd-tcp-address "b": missing port',
      ],
    ],
  },
  pub: {
    tool: pubTool,
    aliases: ["to_nsq"],
    flags: [
      ["topic", "string", ""],
      ["nsqd-tcp-address", "string list", []],
      ["delimiter", "string", "\n"],
      ["rate", "int", 0],
      ["producer-opt", "string list", []],
    ],
    ours: ["config", "version", "file", "defer"],
    refusals: [
      ["", "--topic required"],
      ["--topic=t --delimiter=ab", "--delimiter must be a single byte"],
      ["--topic=t --delimiter=ü", "--delimiter must be a single byte"],
      ["--topic=t", "--nsqd-tcp-address required"],
      [
        "--topic=t --nsqd-tcp-address=a:x",
        '--nsqd-tcp-address "a:x": it must be host:port, the port from 1 to 65535',
      ],
    ],
  },
};

/** What the utility says before it starts, and the exit code that goes with it; null when it would start. */
function refusalOf(tool: AnyTool, words: string[]): { code: number; text: string } | null {
  const program = { ...tool, versionText: "" };
  const found = examineOptions<OptionTable>(tool.table, words, program, machine);
  if (found.kind === "exit") return { code: found.code, text: found.text.replace(/ \(see .*\)$/, "") };
  try {
    tool.check(found.values);
    return null;
  } catch (cause) {
    if (cause instanceof ToolError) return { code: 1, text: cause.message };
    if (cause instanceof UsageError) return { code: 2, text: cause.message };
    throw cause;
  }
}

for (const [name, { tool, aliases, flags, ours, refusals }] of Object.entries(cases)) {
  Deno.test(`nsq ${name} has every flag of ${tool.name} with its kind and default, and what is listed besides`, () => {
    const table = tool.table as OptionTable;
    const theirs = table.filter((option) => !ours.includes(option.name));
    assert.deepEqual(
      theirs.map((option) => [option.name, option.kind, defaultOf(option, machine)]).sort(),
      [...flags].sort(),
    );
    assert.equal(table.length, flags.length + ours.length);
    const command = commands.find((candidate) => candidate.name === name);
    assert.deepEqual(command?.aliases, aliases);
  });

  Deno.test(`nsq ${name} refuses what cannot be meant, in the words of ${tool.name}`, () => {
    for (const [words, text] of refusals) {
      const refusal = refusalOf(tool, words.split(" ").filter((word) => word !== ""));
      assert.deepEqual(refusal, { code: 1, text }, words);
    }
  });

  Deno.test(`nsq ${name} answers unreadable flags with exit code 2 and help with 0`, () => {
    assert.deepEqual(refusalOf(tool, ["--bogus"]), {
      code: 2,
      text: "flag provided but not defined: -bogus",
    });
    assert.equal(refusalOf(tool, ["stray"])?.code, 2);
    assert.equal(refusalOf(tool, ["-h"])?.code, 0);
    assert.equal(refusalOf(tool, ["--version"])?.code, 0);
    for (const option of tool.table as OptionTable) {
      if (
        option.kind !== "int" && option.kind !== "duration" && option.kind !== "bytes" &&
        option.kind !== "float"
      ) {
        continue;
      }
      const refusal = refusalOf(tool, [`-${option.name}`, "z"]);
      assert.equal(refusal?.code, 2, option.name);
      assert.match(refusal!.text, new RegExp(`^invalid value "z" for flag -${option.name}: `));
    }
  });
}

Deno.test("--consumer-opt and --producer-opt are refused as flags are, naming option and limit", () => {
  const consumer = ["--topic=t", "--nsqd-tcp-address=a:1"];
  const table: [AnyTool, string[], string, string][] = [
    [tailTool, consumer, "consumer-opt", "nope"],
    [toFileTool, consumer, "consumer-opt", "lookupd_poll_jitter,3"],
    [toHttpTool, [...consumer, "--post=http://h/"], "consumer-opt", "max_attempts,abc"],
    [toNsqTool, [...consumer, "--destination-nsqd-tcp-address=b:1"], "consumer-opt", "nope,1"],
    [toNsqTool, [...consumer, "--destination-nsqd-tcp-address=b:1"], "producer-opt", "deflate_level,10"],
    [pubTool, consumer, "producer-opt", "dial_timeout,5"],
  ];
  for (const [tool, words, flag, value] of table) {
    const refusal = refusalOf(tool, [...words, `--${flag}=${value}`]);
    assert.equal(refusal?.code, 2, `${tool.name} ${value}`);
    assert.ok(refusal!.text.startsWith(`invalid value "${value}" for flag -${flag}: `), refusal!.text);
  }
});

Deno.test("the options of the utilities have a help of one sentence without its dot", () => {
  for (const { tool } of Object.values(cases)) {
    for (const { name, help } of tool.table as OptionTable) {
      assert.match(help, /^\S.{9,}[^.\s]$/, `${tool.name} ${name}`);
    }
  }
});
