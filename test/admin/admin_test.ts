/** A console from its start to its stop, with what it keeps in between. */
import assert from "node:assert/strict";
import { runAdmin } from "../../src/admin/admin.ts";
import type { Console } from "../../src/admin/console.ts";
import { Logger } from "../../src/log/logger.ts";
import { StartupError } from "../../src/log/startup_error.ts";
import {
  deadAddress,
  FakeNode,
  goChannel,
  goProducer,
  goStats,
  goTopic,
  optionsOf,
  startAdmin,
} from "./fixtures.ts";

const LOOKUPD = "--lookupd-http-address=127.0.0.1:1";

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("runAdmin() says in its first lines where it listens and who may, and in its last that it closes", async () => {
  const table: [flags: string[], line: RegExp][] = [
    [[], /INFO: nobody has to log in, so only this machine is served\n/],
    [["--open"], /WARNING: open: everybody who reaches 127\.0\.0\.1:0 may do everything \(--open\)\n/],
    [["--admin-user=ann"], /INFO: changes need the header X-Forwarded-User; everybody may look\n/],
  ];
  for (const [flags, line] of table) {
    const admin = await startAdmin([LOOKUPD, ...flags]);
    const address = admin.admin.httpAddress;
    await admin[Symbol.asyncDispose]();
    assert.match(admin.lines[0], /INFO: nsqadmin v1\.3\.0 \(built w\/deno[\d.]+\)\n$/);
    assert.match(admin.lines[1], line);
    assert.match(admin.lines[2], new RegExp(`INFO: HTTP: listening on ${address}\n$`));
    assert.match(admin.lines.at(-1)!, new RegExp(`INFO: HTTP: closing ${address}\n$`));
    assert.equal(await admin.admin.done, 0);
  }
});

Deno.test("runAdmin() fails with one line for what it cannot use", async () => {
  const logger = new Logger("fatal", "", () => {});
  await using running = await startAdmin([LOOKUPD]);
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/users.json`, "{");
    const table: [flags: string[], message: RegExp][] = [
      [[], /^--nsqd-http-address or --lookupd-http-address required$/],
      [[LOOKUPD, `--http-address=${running.admin.httpAddress}`], /^listen \(.*\) failed - .*in use$/],
      [[LOOKUPD, `--users-file=${directory}/users.json`], /^failed to read users - .*users\.json: /],
      [[LOOKUPD, `--audit-log=${directory}/no/audit`], /^failed to open the audit log .*no\/audit - /],
    ];
    for (const [flags, message] of table) {
      await assert.rejects(
        runAdmin(optionsOf(["--http-address=127.0.0.1:0", ...flags]), logger),
        (error: Error) => error instanceof StartupError && (assert.match(error.message, message), true),
      );
    }
  });
});

Deno.test("a console keeps its history and its audit log across a restart, with a data path", async () => {
  await using node = new FakeNode({
    "/stats": () => Response.json(goStats(goTopic("orders", [goChannel("ch", { depth: 3 })]))),
    "POST /topic/pause": {},
  });
  await using lookupd = new FakeNode({
    "/nodes": { producers: [{ ...goProducer(node.port), topics: ["orders"] }] },
    "/topics": { topics: ["orders"] },
    "/lookup": { producers: [goProducer(node.port)] },
  });
  await withDirectory(async (directory) => {
    const flags = [`--lookupd-http-address=${lookupd.address}`, `--data-path=${directory}`];
    let console: Console | undefined;
    const mountPages = (_: unknown, given: Console) => {
      console = given;
    };
    const depths = () => console!.history("c:orders/ch", Date.now() - 60_000, Date.now())?.values.depth ?? [];
    {
      await using admin = await startAdmin(flags, { mountPages });
      await console!.look();
      assert.deepEqual(depths(), [3]);
      assert.equal(await admin.ask("POST", "/api/topics/orders", '{"action":"pause"}'), '200 {"message":""}');
    }
    await using _ = await startAdmin(flags, { mountPages });
    assert.deepEqual(depths(), [3]);
    const [record] = console!.audit(9);
    assert.deepEqual([record.kind, record.target, record.isOk], ["pause", "orders", true]);
    assert.deepEqual(console!.marks("t:orders", 0, Infinity).map(({ text }) => text), ["pause orders"]);
    assert.deepEqual(
      [...Deno.readDirSync(directory)].map(({ name }) => name).sort(),
      ["nsqadmin_audit.jsonl", "nsqadmin_history.bin"],
    );
  });
});

Deno.test("a console asks its nodes now and then while nobody looks, so that charts reach back", async () => {
  await using node = new FakeNode({ "/stats": () => Response.json(goStats(goTopic("orders"))) });
  await using lookupd = new FakeNode({
    "/nodes": { producers: [{ ...goProducer(node.port), topics: [] }] },
    "/topics": { topics: [] },
  });
  let console: Console | undefined;
  const polled = Promise.withResolvers<void>();
  await using _ = await startAdmin([`--lookupd-http-address=${lookupd.address}`, "--history-interval=1s"], {
    mountPages(_, given) {
      console = given;
      given.onSnapshot(({ nodes }) => nodes.length > 0 && polled.resolve());
    },
  });
  await polled.promise;
  assert.equal(console!.history("", Date.now() - 60_000, Date.now() + 1_000)!.t.length, 1);
});

Deno.test("a console serves what it can while all of its lookupds are down", async () => {
  const dead = deadAddress();
  let console: Console | undefined;
  await using _ = await startAdmin([`--lookupd-http-address=${dead}`], {
    mountPages(_, given) {
      console = given;
    },
  });
  const { lookupds, nodes, topics, attention, message } = await console!.look();
  assert.deepEqual([lookupds[0].isUp, nodes, topics.size], [false, [], 0]);
  assert.match(attention[0].cause, /^lookupd 127\.0\.0\.1:\d+ does not answer: .*connection refused$/);
  assert.match(message, /^WARNING: Get "http:/);
});
