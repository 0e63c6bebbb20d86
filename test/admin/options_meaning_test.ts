import assert from "node:assert/strict";
import { hashPassword } from "../../src/admin/access/password.ts";
import { writeUsersFile } from "../../src/admin/access/users_file.ts";
import { checkAdminOptions } from "../../src/admin/check_options.ts";
import {
  accessKindOf,
  environmentOf,
  faultsOf,
  listenAddressOf,
  normalizeBasePath,
} from "../../src/admin/options_meaning.ts";
import { optionsOf } from "./fixtures.ts";

const LOOKUPD = "--lookupd-http-address=127.0.0.1:4161";
const CERTIFICATES = new URL("../support/certificates/", import.meta.url).pathname;

Deno.test("faultsOf() says what keeps a console from starting, in the words of Go nsqadmin", async () => {
  const table: [flags: string[], fault: string | RegExp][] = [
    [[], "--nsqd-http-address or --lookupd-http-address required"],
    [
      [LOOKUPD, "--nsqd-http-address=127.0.0.1:4151"],
      "use --nsqd-http-address or --lookupd-http-address not both",
    ],
    [
      [LOOKUPD, "--http-client-tls-cert=x"],
      "--http-client-tls-key must be specified with --http-client-tls-cert",
    ],
    [
      [LOOKUPD, "--http-client-tls-key=x"],
      "--http-client-tls-cert must be specified with --http-client-tls-key",
    ],
    [
      [LOOKUPD, "--http-client-tls-cert=/nowhere/c", "--http-client-tls-key=/nowhere/k"],
      /^failed to LoadX509KeyPair \/nowhere\/c, \/nowhere\/k - /,
    ],
    [
      [LOOKUPD, "--http-client-tls-root-ca-file=/nowhere/ca"],
      /^failed to read TLS root CA file \/nowhere\/ca - /,
    ],
    [
      ["--lookupd-http-address=127.0.0.1"],
      "failed to resolve --lookupd-http-address (127.0.0.1) - address 127.0.0.1: missing port in address",
    ],
    [
      ["--nsqd-http-address=a:b:4151"],
      "failed to resolve --nsqd-http-address (a:b:4151) - address a:b:4151: too many colons in address",
    ],
    [
      ["--nsqd-http-address=127.0.0.1:99999"],
      "failed to resolve --nsqd-http-address (127.0.0.1:99999) - address 99999: invalid port",
    ],
    [
      ["--nsqd-http-address=me:secret@nowhere.invalid:4151"],
      "failed to resolve --nsqd-http-address (nowhere.invalid:4151) - lookup nowhere.invalid: no such host",
    ],
    [[LOOKUPD, "--proxy-graphite", "--graphite-url=x"], /^failed to parse --graphite-url \(x\) - /],
    [
      [LOOKUPD, "--allow-config-from-cidr=127.0.0.1"],
      "failed to parse --allow-config-from-cidr (127.0.0.1) - invalid CIDR address: 127.0.0.1",
    ],
    [
      [LOOKUPD, "--notification-http-endpoint=host/x"],
      /^failed to parse --notification-http-endpoint \(host\/x\)/,
    ],
    [[LOOKUPD, "--users-file=x", "--admin-user=a"], "use --users-file or --admin-user not both"],
    [
      [LOOKUPD, "--admin-environment=prod:pink"],
      /^cannot use --admin-environment \(prod:pink\) - a colour is one of red,/,
    ],
    [
      [LOOKUPD, "--http-address=10.0.0.1:4171"],
      /^--http-address \(10\.0\.0\.1:4171\) can be reached from other machines/,
    ],
  ];
  for (const [flags, expected] of table) {
    const [fault, ...others] = await faultsOf(optionsOf(flags));
    if (typeof expected === "string") assert.equal(fault, expected);
    else assert.match(fault, expected);
    assert.deepEqual(others, [], flags.join(" "));
  }
  const fine = [
    ...["--lookupd-http-address=localhost:4161", "--lookupd-http-address=[::1]:1"],
    "--lookupd-http-address=http://me:secret@127.0.0.1:4161/behind",
    `--http-client-tls-root-ca-file=${CERTIFICATES}ca.pem`,
    `--http-client-tls-cert=${CERTIFICATES}client.pem`,
    `--http-client-tls-key=${CERTIFICATES}client_key.pem`,
    ...["--admin-environment=a:b:green", "--allow-config-from-cidr="],
  ];
  assert.deepEqual(await faultsOf(optionsOf(fine)), []);
});

Deno.test("a console that nobody has to log in to serves this machine alone, unless it is told to be open", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const listensAt = (...flags: string[]) => {
      const options = optionsOf([LOOKUPD, ...flags]), kind = accessKindOf(options);
      return `${kind} ${listenAddressOf(options, kind)}`;
    };
    assert.equal(listensAt(), "loopback 127.0.0.1:4171");
    assert.equal(listensAt("--http-address=[::1]:9"), "loopback [::1]:9");
    assert.equal(listensAt("--http-address=/run/nsqadmin.sock"), "loopback /run/nsqadmin.sock");
    assert.equal(listensAt("--open"), "open 0.0.0.0:4171");
    assert.equal(listensAt("--open", "--http-address=10.0.0.1:9"), "open 10.0.0.1:9");
    assert.equal(listensAt("--admin-user=ann"), "header 0.0.0.0:4171");
    assert.equal(listensAt(`--data-path=${directory}`), "loopback 127.0.0.1:4171");
    writeUsersFile(`${directory}/nsqadmin_users.json`, [
      { name: "ann", role: "admin", canViewBodies: false, password: await hashPassword("correct horse") },
    ]);
    assert.equal(listensAt(`--data-path=${directory}`), "login 0.0.0.0:4171");
    for (const address of ["0.0.0.0:4172", ":4171", "10.0.0.1:4171", "node1:4171"]) {
      assert.throws(() => listensAt(`--http-address=${address}`), {
        message: /nobody has to log in there: add users/,
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("normalizeBasePath() begins with a slash and ends with none", () => {
  const table = [["", "/"], ["/", "/"], ["adm", "/adm"], ["/adm/", "/adm"], ["/a/../b//c/.", "/b/c"], [
    "../..",
    "/",
  ]];
  for (const [given, path] of table) assert.equal(normalizeBasePath(given), path);
});

Deno.test("environmentOf() takes a name and a colour", () => {
  assert.equal(environmentOf(""), null);
  assert.deepEqual(environmentOf("staging"), { name: "staging", color: "gray" });
  assert.deepEqual(environmentOf("eu:prod:red"), { name: "eu:prod", color: "red" });
  assert.equal(environmentOf("prod:pink"), undefined);
});

Deno.test("checkAdminOptions() finds everything that is wrong at once", async () => {
  const users = await Deno.makeTempFile();
  try {
    const options = optionsOf([
      `--users-file=${users}`,
      ...["--data-path=/nowhere/d", "--dev-static-dir=/nowhere/s", "--http-address=0.0.0.0:99999"],
    ]);
    const problems = await checkAdminOptions(options);
    for (
      const part of [
        "required",
        "99999",
        "--data-path: there is no",
        "--dev-static-dir: there is no",
        "--users-file: ",
      ]
    ) {
      assert.ok(problems.some((problem) => problem.includes(part)), `${part} in ${problems.join("\n")}`);
    }
    assert.deepEqual(await checkAdminOptions(optionsOf([LOOKUPD])), []);
  } finally {
    await Deno.remove(users);
  }
});
