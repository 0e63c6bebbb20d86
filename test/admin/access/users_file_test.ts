import assert from "node:assert/strict";
import { faultOfUserName, readUsersFile, writeUsersFile } from "../../../src/admin/access/users_file.ts";

const PASSWORD = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";

async function withDirectory(run: (path: string) => void): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    run(`${directory}/users.json`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("writeUsersFile() writes what readUsersFile() reads, for its owner alone", async () => {
  await withDirectory((path) => {
    const users = [
      { name: "ann", role: "admin", canViewBodies: true, password: PASSWORD },
      { name: "vic", role: "viewer", canViewBodies: false, password: PASSWORD },
    ] as const;
    writeUsersFile(path, users);
    assert.deepEqual(readUsersFile(path), users);
    if (Deno.build.os !== "windows") assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  });
});

Deno.test("readUsersFile() names the file and the entry that it cannot use", async () => {
  const user = { name: "ann", role: "admin", password: PASSWORD };
  const table: [text: string, message: RegExp][] = [
    ["{", /JSON/],
    ["[]", /no list "users"/],
    [JSON.stringify({ users: [{ ...user, name: "" }] }), /entry 1 has no usable name/],
    [
      JSON.stringify({ users: [user, { ...user, role: "root" }] }),
      /role of ann must be one of viewer, operator, admin/,
    ],
    [
      JSON.stringify({ users: [{ ...user, password: "plain" }] }),
      /password of ann cannot be used: it is no Argon2id/,
    ],
    [JSON.stringify({ users: [null] }), /entry 1/],
  ];
  await withDirectory((path) => {
    for (const [text, message] of table) {
      Deno.writeTextFileSync(path, text);
      assert.throws(() => readUsersFile(path), (error: Error) => {
        assert.ok(error.message.startsWith(`${path}: `), error.message);
        assert.match(error.message, message);
        return true;
      });
    }
  });
  assert.throws(() => readUsersFile("/nowhere/users.json"), /^Error: \/nowhere\/users\.json: /);
});

Deno.test("faultOfUserName() takes addresses of mail, and nothing that would look odd in a log", () => {
  for (const name of ["ann", "ann@example.com", "a.b-c_d+e"]) assert.equal(faultOfUserName(name), "");
  for (const name of ["", "a b", "a:b", "ä", "x".repeat(65), "a\n"]) {
    assert.match(faultOfUserName(name), /1 to 64/);
  }
});
