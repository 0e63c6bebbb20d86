/** `nsq admin user` and `nsq admin` as an operator runs them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isPassword } from "../../src/admin/access/password.ts";
import { readUsersFile } from "../../src/admin/access/users_file.ts";
import { ProgramProcess } from "../support/program_process.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

async function admin(
  words: readonly string[],
  input = "",
): Promise<{ code: number; out: string; err: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", "main.ts", "admin", ...words],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {/* It ended without reading. */});
  await writer.close().catch(() => {/* Likewise. */});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("nsq admin user adds, changes, lists and removes users, with a password that is no argument", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/nsqadmin_users.json`, at = `--data-path=${directory}`;
    const added = await admin(
      ["user", "add", "ann", "--role=admin", "--can-view-bodies", at],
      "correct horse\n",
    );
    assert.deepEqual(added, { code: 0, out: `added ann (admin) in ${path}\n`, err: "" });
    await admin(["user", "add", "vic", `--users-file=${path}`], "battery staple");
    const [ann, vic] = readUsersFile(path);
    assert.deepEqual([ann.role, ann.canViewBodies, vic.role, vic.canViewBodies], [
      "admin",
      true,
      "viewer",
      false,
    ]);
    assert.equal(await isPassword("correct horse", ann.password), true);
    const changed = await admin(["user", "add", "ann", at], "another horse\n");
    assert.equal(changed.out, `changed ann (admin) in ${path}\n`);
    assert.equal(await isPassword("another horse", readUsersFile(path)[0].password), true);
    assert.equal((await admin(["user", "list", at])).out, "ann\tadmin\tsees messages\nvic\tviewer\n");
    assert.equal((await admin(["user", "remove", "ann", at])).code, 0);
    assert.deepEqual(readUsersFile(path).map(({ name }) => name), ["vic"]);

    const table: [words: string[], input: string, code: number, err: RegExp][] = [
      [["user", "remove", "ann", at], "", 1, /^there is no user ann in /],
      [["user", "add", "bob", at], "short\n", 1, /^the password is too short: it needs 8 characters\n$/],
      [
        ["user", "add", "b b", at],
        "long enough\n",
        2,
        /^cannot use the name "b b": it must be 1 to 64 letters/,
      ],
      [["user", "add", "bob"], "long enough\n", 2, /^say which file: --users-file=<path> or/],
      [["user", "add", at], "", 2, /^user add needs a name/],
      [["user", "grow", "bob", at], "", 2, /^unknown command "grow"/],
      [["user", "add", "bob", at, "--role=root"], "", 2, /root/],
      [["user"], "", 2, /^Usage: nsq admin user add NAME/],
    ];
    for (const [words, input, code, err] of table) {
      const answer = await admin(words, input);
      assert.equal(answer.code, code, words.join(" "));
      assert.match(answer.err, err);
      assert.equal(answer.out, "");
    }
    assert.deepEqual(readUsersFile(path).map(({ name }) => name), ["vic"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("nsq admin serves, logs as nsqadmin and stops with 0; without addresses it says so and exits with 1", async () => {
  await using program = await ProgramProcess.start({
    command: "admin",
    flags: ["--lookupd-http-address=127.0.0.1:1", "--http-address=127.0.0.1:0"],
  });
  const response = await fetch(`http://${program.address("nsqadmin", "HTTP")}/ping`);
  assert.equal(await response.text(), "OK");
  assert.equal(await program.stop(), 0);
  const { code, err } = await admin([]);
  assert.equal(code, 1);
  assert.match(
    err,
    /^\[nsqadmin\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} FATAL: failed to instantiate nsqadmin - --nsqd-http-address or --lookupd-http-address required\n$/,
  );
  assert.match((await admin(["--version"])).out, /^nsqadmin v1\.3\.0 \(built w\/deno[\d.]+\)\n$/);
});
