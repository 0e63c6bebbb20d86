/** `standalone` as a user runs it: one process that serves all three, on one data path, with one stop. */
import assert from "node:assert/strict";
import nsq from "nsqjs";
import { ProgramProcess, until } from "../support/program_process.ts";

interface Reader {
  on(event: string, listener: (argument: never) => void): void;
  connect(): void;
  close(): void;
}

interface Message {
  body: { toString(): string };
  finish(): void;
}

const ANY_PORT = "127.0.0.1:0";

function start(dataPath: string, ...flags: string[]): Promise<ProgramProcess> {
  return ProgramProcess.start({
    command: "standalone",
    flags: [
      `--data-path=${dataPath}`,
      ...[
        "tcp-address",
        "http-address",
        "lookupd-listen-tcp-address",
        "lookupd-listen-http-address",
        "admin-listen-http-address",
      ].map((name) => `--${name}=${ANY_PORT}`),
      ...flags,
    ],
  });
}

async function publish(program: ProgramProcess, body: string): Promise<void> {
  const url = `http://${program.address("nsqd", "HTTP")}/pub?topic=orders`;
  const response = await fetch(url, { method: "POST", body });
  assert.equal(await response.text(), "OK");
}

/** Where `/lookup` sends the consumers of the topic. */
async function lookup(program: ProgramProcess): Promise<string[]> {
  const response = await fetch(`http://${program.address("nsqlookupd", "HTTP")}/lookup?topic=orders`);
  const { producers = [] } = await response.json();
  return producers.map((node: Record<string, unknown>) => `${node.broadcast_address}:${node.tcp_port}`);
}

/** Consumes through discovery with the official client until `bodies` has come. */
async function consume(program: ProgramProcess, ...bodies: string[]): Promise<void> {
  const reader = new nsq.Reader("orders", "billing", {
    lookupdHTTPAddresses: [program.address("nsqlookupd", "HTTP")],
  }) as Reader;
  const missing = new Set(bodies);
  const closed = new Promise<void>((resolve) => reader.on("nsqd_closed", () => resolve()));
  reader.on("message", (message: Message) => {
    missing.delete(message.body.toString());
    message.finish();
  });
  reader.connect();
  await until("all messages consumed", () => missing.size === 0, () => [...missing].join());
  reader.close();
  await closed;
}

async function withDataPath(run: (dataPath: string) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir({ prefix: "standalone-test-" });
  try {
    await run(dataPath);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

Deno.test({
  name: "standalone is discovered, consumed from and stopped with exit code 0, and goes on after a restart",
  // nsqjs keeps timers and sockets of its own for a moment after it is closed.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    withDataPath(async (dataPath) => {
      {
        await using program = await start(dataPath);
        await publish(program, "one");
        await until("the topic is registered", async () => (await lookup(program)).length > 0);
        assert.deepEqual(await lookup(program), [program.address("nsqd", "TCP")]);
        await consume(program, "one");
        await publish(program, "two");
        assert.equal(await program.stop(), 0);
        assert.match(program.log, /NSQ: bye[^]*TCP: closing[^]*HTTP: closing/, "nsqd stops before lookupd");
        assert.doesNotMatch(program.log, /ERROR|WARN|FATAL/);
      }
      await using program = await start(dataPath);
      await until("the topic is registered again", async () => (await lookup(program)).length > 0);
      await consume(program, "two");
    }),
});

Deno.test("standalone knows its topics after kill -9, from the snapshot in the same data path", async () => {
  await withDataPath(async (dataPath) => {
    {
      await using program = await start(dataPath);
      await publish(program, "one");
      const readSnapshot = async () => {
        try {
          return await Deno.readTextFile(`${dataPath}/nsqlookupd.dat`);
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return "";
          throw error;
        }
      };
      await until("the snapshot has the topic", async () => (await readSnapshot()).includes("orders"));
    }
    await using program = await start(dataPath);
    assert.match(program.log, /SNAPSHOT: 1 producers from/);
    assert.equal((await lookup(program)).length > 0, true, "the first answer has the topic");
  });
});

Deno.test("standalone exits with 1 and one FATAL line when one of its parts cannot start", async () => {
  await withDataPath(async (dataPath) => {
    await using running = await start(dataPath);
    const taken = [
      `--http-address=${running.address("nsqd", "HTTP")}`,
      `--tcp-address=${running.address("nsqd", "TCP")}`,
      `--lookupd-listen-tcp-address=${running.address("nsqlookupd", "TCP")}`,
      `--lookupd-listen-http-address=${running.address("nsqlookupd", "HTTP")}`,
      `--admin-listen-http-address=${running.address("nsqadmin", "HTTP")}`,
    ];
    for (const flag of taken) {
      await withDataPath((free) =>
        assert.rejects(start(free, flag), (error: Error) => {
          assert.match(error.message, /^standalone exited with 1: [^]*FATAL: .* address already in use\n$/);
          assert.equal(error.message.match(/FATAL|ERROR|[Uu]ncaught/g)?.length, 1, error.message);
          return true;
        })
      );
    }
    await assert.rejects(start(dataPath), /exited with 1: [^]*FATAL: .*in use by another instance/);
  });
});

Deno.test("the console of standalone knows its topics, and stops with it", async () => {
  await withDataPath(async (dataPath) => {
    await using program = await start(dataPath);
    await publish(program, "one");
    const topics = async () => {
      const response = await fetch(`http://${program.address("nsqadmin", "HTTP")}/api/topics`);
      return (await response.json()).topics;
    };
    await until("the console lists it", async () => (await topics())?.includes("orders") === true);
    assert.equal(await program.stop(), 0);
  });
});
