/** What README and docs/ tell people to type: every command and flag is there, and what can be run at once works. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commands } from "../../src/cli/commands.ts";
import { parseArgs } from "../../src/options/args.ts";
import { ProgramProcess } from "../support/program_process.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const { tasks } = JSON.parse(Deno.readTextFileSync(join(CHECKOUT, "deno.json"))) as {
  tasks: Record<string, unknown>;
};
const pages = [
  "README.md",
  ...[...Deno.readDirSync(join(CHECKOUT, "docs"))].map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md") && path !== "docs/options.md").sort(),
];

function read(path: string): string {
  return Deno.readTextFileSync(join(CHECKOUT, path));
}

/** The lines of the indented blocks of a page, those that go on behind a backslash as one. */
function blockLines(text: string): string[] {
  return text.replaceAll(/\\\n\s+/g, "").split("\n").filter((line) => /^ {4,}\S/.test(line))
    .map((line) => line.trim());
}

/** Commands within a sentence, but for those that stand for several. */
function inlineCommands(text: string): string[] {
  return [...text.matchAll(/`((?:deno task|nsq|dist\/nsq) [^`]+)`/g)].map(([, command]) =>
    command.replaceAll("\n", " ")
  ).filter((command) => !/[<|…]/.test(command));
}

interface OurCommand {
  /** The task that runs it, null for the executable. */
  task: string | null;
  words: string[];
}

/** The commands of ours in a line of a shell. */
function ourCommands(line: string): OurCommand[] {
  return line.split(/ \| /).flatMap((part): OurCommand[] => {
    const words = [...part.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ""));
    const begin = words.findIndex((word, i) => word === "task" && /^deno(@|$)/.test(words[i - 1] ?? ""));
    if (begin >= 0) {
      const [task, ...more] = words.slice(begin + 1);
      return [{ task, words: more }];
    }
    return /^(dist\/)?nsq$/.test(words[0] ?? "") ? [{ task: null, words: words.slice(1) }] : [];
  });
}

async function check(task: string | null, words: readonly string[]): Promise<void> {
  if (task !== null) assert.ok(task in tasks, `there is no task ${task}`);
  const taskCommands: Record<string, string> = {
    start: "standalone",
    nsqd: "nsqd",
    lookupd: "lookupd",
    admin: "admin",
    doctor: "doctor",
  };
  const name = task === null || task === "nsq" ? words[0] : taskCommands[task];
  // Tasks for those who work on the project have flags of their own.
  if (name === undefined) return;
  const command = commands.find((candidate) => [candidate.name, ...candidate.aliases].includes(name));
  assert.ok(command, `there is no command ${name}`);
  const { options } = await command.load();
  const firstFlag = words.findIndex((word) => word.startsWith("-"));
  if (firstFlag >= 0) parseArgs(options, words.slice(firstFlag));
}

for (const page of pages) {
  Deno.test(`every command in ${page} has the name and the flags that it is written with`, async () => {
    const text = read(page);
    for (const line of [...blockLines(text), ...inlineCommands(text)]) {
      for (const { task, words } of ourCommands(line)) {
        await check(task, words).catch((cause) => {
          throw new Error(`${page}: ${line}: ${(cause as Error).message}`);
        });
      }
    }
  });

  Deno.test(`every link in ${page} leads to a file that is there`, () => {
    for (const [, target] of read(page).matchAll(/(?:\]\(|src(?:set)?=")([^)"#\s]+)/g)) {
      if (/^https?:/.test(target)) continue;
      Deno.statSync(join(CHECKOUT, page, "..", target));
    }
  });
}

/** Runs lines of a page in a shell, with the ports of `program`. @returns what each printed */
async function runLines(program: ProgramProcess, lines: readonly string[]): Promise<string[]> {
  const http = program.address("nsqd", "HTTP");
  const prelude = `set -eo pipefail
curl() { command curl -sS --fail-with-body "$@"; }
nsq() { "${Deno.execPath()}" run --no-prompt -A main.ts "$@" --nsqd-http-address=${http}; }
`;
  const printed: string[] = [];
  for (const line of lines) {
    const moved = line.replaceAll("127.0.0.1:4151", http)
      .replaceAll("127.0.0.1:4161", program.address("nsqlookupd", "HTTP"));
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", prelude + moved],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, `${line}: ${text}${new TextDecoder().decode(stderr)}`);
    printed.push(text);
  }
  return printed;
}

async function withStandalone(work: (program: ProgramProcess) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir();
  const ports = ["tcp", "http", "lookupd-listen-tcp", "lookupd-listen-http", "admin-listen-http"];
  try {
    await using program = await ProgramProcess.start({
      command: "standalone",
      flags: [`--data-path=${dataPath}`, ...ports.map((name) => `--${name}-address=127.0.0.1:0`)],
    });
    await work(program);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

Deno.test("the tour of README works as it is written", async () => {
  const [, tour] = /## A tour in 60 seconds\n(.*?)\n## /s.exec(read("README.md"))!;
  const lines = blockLines(tour).filter((line) => /^(curl|printf)/.test(line));
  await withStandalone(async (program) => {
    const [one, two, stats, lookup, again] = await runLines(program, lines);
    assert.deepEqual([one, two], ["OK", "OK"]);
    assert.match(stats, /greetings/);
    assert.equal(JSON.parse(lookup).producers.length, 1);
    assert.equal(JSON.parse(again).topics[0].depth, 3);
  });
});

Deno.test("what docs/policies.md types is done, line by line", async () => {
  const lines = blockLines(read("docs/policies.md")).filter((line) => /^(curl|nsq) /.test(line));
  assert.ok(lines.length >= 10, `${lines.length} lines`);
  await withStandalone(async (program) => {
    await runLines(program, [
      "curl -X POST 'http://127.0.0.1:4151/topic/create?topic=orders'",
      "curl -X POST 'http://127.0.0.1:4151/channel/create?topic=orders&channel=mail'",
      "curl -d 'for anna' 'http://127.0.0.1:4151/pub?topic=orders'",
    ]);
    const printed = await runLines(program, lines);
    const found = printed[lines.findIndex((line) => line.includes("--match=contains:anna"))];
    assert.match(found, /for anna/);
  });
});
