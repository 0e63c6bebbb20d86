import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { hashPassword, isPassword, parsePhc } from "../../../src/admin/access/password.ts";

Deno.test("hashPassword() makes strings that only the password itself fits, each with a salt of its own", async () => {
  const [kept, again] = [await hashPassword("påssword"), await hashPassword("påssword")];
  assert.match(
    kept,
    /^\$(argon2id\$v=19\$m=19456,t=2,p=1|scrypt\$ln=15,r=8,p=1)\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
  );
  assert.notEqual(kept, again);
  assert.equal(await isPassword("påssword", kept), true);
  assert.equal(await isPassword("password", kept), false);
  assert.equal(await isPassword("", kept), false);
});

Deno.test("isPassword() knows scrypt, which older runtimes make", async () => {
  const salt = new Uint8Array(16).fill(7);
  const hash = scryptSync("secret", salt, 32, { N: 2 ** 14, r: 8, p: 1 });
  const encode = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");
  const kept = `$scrypt$ln=14,r=8,p=1$${encode(salt)}$${encode(hash)}`;
  assert.equal(await isPassword("secret", kept), true);
  assert.equal(await isPassword("Secret", kept), false);
});

Deno.test("parsePhc() refuses what it does not know, and what would cost too much", () => {
  const table: [kept: string, message: RegExp][] = [
    ["plain", /no Argon2id or scrypt/],
    ["$md5$x$y$z", /no Argon2id or scrypt/],
    ["$constructor$m=1$y$z", /no Argon2id or scrypt/],
    ["$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", /parameter m must be from 1 to 1048576/],
    ["$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", /parameter ln must be from 1 to 20/],
    ["$scrypt$ln=15,r=8$c2FsdHNhbHQ$aGFzaGhhc2g", /parameter p/],
    ["$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ", /salt or hash is missing/],
  ];
  for (const [kept, message] of table) assert.throws(() => parsePhc(kept), { message }, kept);
});
