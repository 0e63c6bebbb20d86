/** `nsq policy`, `nsq definitions` and `nsq peek` against an nsqd, as a user runs them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { allowAll, AuthServer, reply } from "../support/auth_server.ts";
import { ProgramProcess } from "../support/program_process.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

interface Ended {
  code: number;
  out: string;
  error: string;
}

async function nsq(...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", ...args],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

async function withNsqd(
  flags: string[],
  body: (address: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using nsqd = await ProgramProcess.start({
      command: "nsqd",
      flags: ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${folder}`, ...flags],
    });
    await body(nsqd.address("nsqd", "HTTP"), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function post(address: string, path: string, body = ""): Promise<void> {
  const response = await fetch(`http://${address}${path}`, { method: "POST", body });
  await response.text();
  assert.equal(response.status, 200);
}

Deno.test("nsq peek shows its secret to a node that has auth servers", async () => {
  await using server = await AuthServer.start(({ target }) =>
    target.includes("s3cret") ? allowAll() : reply({ ttl: 60, authorizations: [] })
  );
  await withNsqd([`--auth-http-address=${server.address}`], async (address) => {
    await post(address, "/pub?topic=t", "for those who may");
    const at = [`--nsqd-http-address=${address}`, "--state=all"];
    const [none, wrong, right] = await Promise.all([
      nsq("peek", "t", ...at),
      nsq("peek", "t", ...at, "--auth-secret=other"),
      nsq("peek", "t", ...at, "--auth-secret=s3cret"),
    ]);
    assert.deepEqual([none.code, wrong.code, right.code], [1, 1, 0]);
    assert.match(none.error, /refuses: AUTH_REQUIRED/);
    assert.match(wrong.error, /refuses: UNAUTHORIZED/);
    assert.match(right.out, /for those who may/);
  });
});

Deno.test("nsq policy shows, sets and takes back, dry first, and says what cannot be", () =>
  withNsqd([], async (address) => {
    await post(address, "/topic/create?topic=t");
    await post(address, "/channel/create?topic=t&channel=c");
    const at = `--nsqd-http-address=${address}`;
    const dry = await nsq("policy", "set", "t/c", "max_attempts=4", "ttl=1h", at, "--dry-run");
    assert.match(dry.out, /max_attempts +0 -> 4 +\(default\)/);
    assert.match((await nsq("policy", "get", "t/c", at)).out, /max_attempts +0 +\(default\)/);
    assert.match(
      (await nsq("policy", "set", "t/c", "max_attempts=4", "ttl=1h", at)).out,
      /ttl +1h0m0s +\(set\)/,
    );
    assert.match((await nsq("policy", "set", "t/c", "ttl=", at)).out, /ttl +0s +\(default\)/);
    assert.match((await nsq("policy", "get", "t", at)).out, /^overflow +reject +\(default\)$/m);
    const cases: [string[], number, RegExp][] = [
      [["policy", "set", "t/c", "max_attempts=x", at], 2, /max_attempts = "x": use a whole number/],
      [["policy", "set", "t/c", at], 2, /what is to be set/],
      [["policy", "get", at], 2, /which topic/],
      [["policy", "t/c", at], 2, /get or set/],
      [["policy", "get", "t/none", at], 1, /refuses: CHANNEL_NOT_FOUND/],
      [["policy", "get", "t", "--nsqd-http-address=127.0.0.1:1"], 1, /does not answer/],
    ];
    for (const [args, code, message] of cases) {
      const ended = await nsq(...args);
      assert.equal(ended.code, code, args.join(" "));
      assert.match(ended.error, message);
    }
  }));

Deno.test("nsq definitions writes a node's file, and another node starts with it", () =>
  withNsqd([], async (address, folder) => {
    await post(address, "/topic/create?topic=t");
    await post(address, "/channel/create?topic=t&channel=c");
    await nsq("policy", "set", "t/c", "max_attempts=4", `--nsqd-http-address=${address}`);
    const file = `${folder}/definitions.json`;
    assert.equal((await nsq("definitions", "get", file, `--nsqd-http-address=${address}`)).code, 0);
    await withNsqd(
      [`--definitions=${file}`, '--policy={"topic":"*","channel":"*","ttl":"2h"}'],
      async (second) => {
        const policy = await (await fetch(`http://${second}/channel/policy?topic=t&channel=c`)).json();
        assert.deepEqual(policy.max_attempts, { value: 4, source: "definitions" });
        assert.deepEqual(policy.ttl, { value: "2h0m0s", source: "config: * *" });
        const set = await nsq("definitions", "set", file, "--dry-run", `--nsqd-http-address=${second}`);
        assert.match(set.out, /set t\/c max_attempts = 4/);
      },
    );
    const broken = await nsq(
      "nsqd",
      `--definitions=${folder}/none.json`,
      "--data-path",
      folder,
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
    );
    assert.deepEqual([broken.code, /there is no such file|in use/.test(broken.error)], [1, true]);
  }));

Deno.test("nsq peek shows messages with their facts, and consumes none", () =>
  withNsqd([], async (address) => {
    await post(address, "/channel/create?topic=t&channel=c").catch(() => {});
    await post(address, "/topic/create?topic=t");
    await post(address, "/channel/create?topic=t&channel=c");
    await post(address, "/mpub?topic=t", "one\ntwo\nthree");
    const at = `--nsqd-http-address=${address}`;
    const shown = await nsq("peek", "t/c", at);
    assert.deepEqual(shown.out.trim().split("\n").map((line) => line.split("  ").at(-1)), [
      "one",
      "two",
      "three",
    ]);
    const newest = await nsq("peek", "t/c", "--from=newest", "--n=1", "--json", at);
    assert.equal(JSON.parse(newest.out).body, "three");
    assert.match((await nsq("peek", "t/c", "--match=contains:tw", at)).out, /two\n$/);
    assert.match((await nsq("peek", "t", "--n=1", at)).out, /logged {2}one/);
    assert.equal((await nsq("peek", "t/c", "--state=held", at)).code, 2);
    const stats = await (await fetch(`http://${address}/stats?format=json&topic=t`)).json();
    assert.equal(stats.topics[0].channels[0].depth, 3);
  }));
