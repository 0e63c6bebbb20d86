import assert from "node:assert/strict";
import { type Answer, chooseCommand, commands, commandWords } from "../../src/cli/commands.ts";

function answerTo(...args: string[]): Answer {
  const chosen = chooseCommand(args);
  assert.ok("text" in chosen, args.join(" "));
  return chosen;
}

Deno.test("chooseCommand() finds each command by its name and its aliases", () => {
  for (const command of commands) {
    for (const word of [command.name, ...command.aliases]) {
      assert.equal(chooseCommand([word, "--help"]), command, word);
    }
  }
});

Deno.test("commands have names and aliases of their own, and one line of summary", () => {
  const words = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  assert.equal(new Set(words).size, words.length);
  for (const { name, summary } of commands) assert.match(summary, /^[A-Z].{9,89}[^.\s]$/, name);
});

Deno.test("commands load a module that can run them", async () => {
  for (const { name, load } of commands) assert.equal(typeof (await load()).run, "function", name);
});

Deno.test("chooseCommand() lists the commands when asked, and on standard error when there is none", () => {
  const asked = answerTo("--help");
  for (const { name } of commands) assert.match(asked.text, new RegExp(`^  ${name}\\b`, "m"));
  for (const word of ["-h", "-help", "help"]) assert.deepEqual(answerTo(word), asked);
  assert.deepEqual([asked.code, asked.to], [0, "stdout"]);
  assert.deepEqual(answerTo(), { code: 2, text: asked.text, to: "stderr" });
});

Deno.test("chooseCommand() tells the version", () => {
  const text = `nsq v1.3.0 (built w/deno${Deno.version.deno})`;
  for (const word of ["-version", "--version"]) {
    assert.deepEqual(answerTo(word), { code: 0, text, to: "stdout" });
  }
});

Deno.test("chooseCommand() names an unknown command and the one that may be meant, on one line", () => {
  const table: [string, string][] = [
    ["nsdq", 'unknown command "nsdq", did you mean nsqd?'],
    ["nsqlookup", 'unknown command "nsqlookup", did you mean nsqlookupd?'],
    ["frobnicate", 'unknown command "frobnicate", nsq --help lists all'],
    ["--bogus-flag", 'unknown command "--bogus-flag", nsq --help lists all'],
  ];
  for (const [word, text] of table) assert.deepEqual(answerTo(word), { code: 2, text, to: "stderr" });
});

Deno.test("commandWords() puts the command first that a link names, and no other name", () => {
  assert.deepEqual(commandWords("/usr/bin/nsqlookupd", ["--version"]), ["nsqlookupd", "--version"]);
  assert.deepEqual(commandWords("nsqd", []), ["nsqd"]);
  for (const name of ["/opt/nsq", "deno", "lookupd", "standalone", "nsqd-1.3"]) {
    assert.deepEqual(commandWords(name, ["doctor"]), ["doctor"]);
  }
});
