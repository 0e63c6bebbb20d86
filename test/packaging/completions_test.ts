import assert from "node:assert/strict";
import { commands } from "../../src/cli/commands.ts";
import { describeCommands } from "../../src/cli/commands.ts";
import { takeWord } from "../../src/cli/texts/word_command.ts";
import { valueKind } from "../../src/packaging/command_description.ts";
import { bashCompletion } from "../../src/packaging/completions/bash.ts";
import { fishCompletion } from "../../src/packaging/completions/fish.ts";
import { zshCompletion } from "../../src/packaging/completions/zsh.ts";

const described = await describeCommands();

/** Whether the shell is here; says when it is not. */
function hasShell(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["-c", "true"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    console.log(`Completion in ${name} is skipped: there is no ${name} here`);
    return false;
  }
}

/** What `shell` prints when it runs `script` with `words` as its arguments. */
function runShell(shell: string, script: string, words: string[] = []): string[] {
  const { code, stdout, stderr } = new Deno.Command(shell, { args: ["-c", script, shell, ...words] })
    .outputSync();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

/** What bash offers behind `line`. */
function bashOffers(line: string): string[] {
  const script = `${bashCompletion(described)}
compopt() { :; }
COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=($1) COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
case $1 in *' ') COMP_CWORD=$((COMP_CWORD + 1)) ;; esac
_nsq
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return runShell("bash", script, [line]);
}

Deno.test({
  name: "bashCompletion() offers commands, their flags, and what a flag takes",
  ignore: !hasShell("bash"),
  fn() {
    const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
    assert.deepEqual(bashOffers("nsq "), [...names, "help", "--help", "--version"]);
    assert.deepEqual(bashOffers("nsq look"), ["lookupd"]);
    assert.deepEqual(bashOffers("nsq nsqd --data-p"), ["--data-path="]);
    assert.deepEqual(bashOffers("nsqd --data-p"), ["--data-path="]);
    assert.deepEqual(bashOffers("nsq nsqd --durability="), ["memory", "os", "disk"]);
    assert.deepEqual(bashOffers("nsq nsqd --durability=d"), ["disk"]);
    assert.deepEqual(bashOffers("nsq help stand"), ["standalone"]);
    assert.deepEqual(bashOffers("nsq lookupd --durab"), []);
    for (const { name, options } of described) {
      const flags = options.map((option) => `--${option.name}${valueKind(option) === "none" ? "" : "="}`);
      assert.deepEqual(bashOffers(`nsq ${name} --`), ["--help", ...flags], name);
    }
  },
});

Deno.test({
  name: "fishCompletion() offers commands, their flags, and what a flag takes",
  ignore: !hasShell("fish"),
  fn() {
    const offers = (line: string) =>
      runShell("fish", `${fishCompletion(described)}\ncomplete -C ${JSON.stringify(line)}`)
        .map((offer) => offer.split("\t")[0]);
    assert.deepEqual(offers("nsq nsqd --data-p"), ["--data-path"]);
    assert.deepEqual(offers("nsqd --data-p"), ["--data-path"]);
    assert.deepEqual(offers("nsq nsqd --durability=d"), ["--durability=disk"]);
    assert.deepEqual(offers("nsq standal"), ["standalone"]);
  },
});

Deno.test({
  name: "zshCompletion() is a script that zsh reads, with every flag in it",
  ignore: !hasShell("zsh"),
  async fn() {
    const script = zshCompletion(described);
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, script);
      const { success, stderr } = new Deno.Command("zsh", { args: ["-n", path] }).outputSync();
      assert.ok(success, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(path);
    }
    for (const option of described.flatMap(({ options }) => options)) {
      assert.ok(script.includes(`--${option.name}`), option.name);
    }
  },
});

Deno.test("takeWord() takes one known word, or none, and answers everything else", () => {
  const take = (...args: string[]) => takeWord("nsq man", "help", args, ["nsqd", "lookupd"]);
  assert.deepEqual(take(), { word: undefined });
  assert.deepEqual(take("nsqd"), { word: "nsqd" });
  assert.equal(take("--help"), 0);
  assert.equal(take("-version"), 0);
  assert.equal(take("nsqdd"), 2);
  assert.equal(take("nsqd", "lookupd"), 2);
  assert.equal(take("--shell=bash"), 2);
});
