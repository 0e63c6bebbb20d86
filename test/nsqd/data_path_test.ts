/** The data path of the real program: what it must be, who may use it, what is left in it. */
import assert from "node:assert/strict";
import { originalMetadata, OriginalQueue } from "../support/original_data_path.ts";
import { ProgramProcess } from "../support/program_process.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { WireClient, withBody } from "../wire/wire_client.ts";

/** A directory that is removed at the end. */
class Directory implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "nsqd-test-" });

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The program on a data path. */
function start(dataPath: string, ...flags: string[]): Promise<ProgramProcess> {
  const ownFlags = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${dataPath}`];
  return ProgramProcess.start({ command: "nsqd", flags: [...ownFlags, ...flags] });
}

/** Why the program does not start: its last line, without the time. */
async function refusal(dataPath: string): Promise<string> {
  try {
    await using program = await start(dataPath);
    return `it started: ${program.log}`;
  } catch (error) {
    const { message } = error as Error;
    assert.match(message, /^nsqd exited with 1: /);
    return message.trimEnd().split("\n").at(-1)!.replace(/^.*\d\d:\d\d:\d\d\.\d+ /, "");
  }
}

Deno.test("nsqd refuses a data path that another process uses, until that process is killed", async () => {
  using directory = new Directory();
  await using first = await start(directory.path);
  using client = await WireClient.open(first.port("nsqd", "TCP"));
  assert.equal(await client.ask(withBody("PUB orders", "kept")), "response OK");
  assert.equal(
    await refusal(directory.path),
    `FATAL: failed to instantiate nsqd - failed to lock data-path: cannot flock directory ${directory.path} - ` +
      "resource temporarily unavailable (possibly in use by another instance of nsqd)",
  );
  assert.equal(
    await client.ask(withBody("PUB orders", "kept too")),
    "response OK",
    "the first was disturbed",
  );
  await first.kill();
  await using second = await start(directory.path);
  using consumer = await WireClient.open(second.port("nsqd", "TCP"));
  await consumer.subscribe("orders", "archive", 2);
  assert.deepEqual([(await consumer.message()).body, (await consumer.message()).body], ["kept", "kept too"]);
});

Deno.test("nsqd does not start without a directory that it can use, and says why", async () => {
  using directory = new Directory();
  const missing = directory.file("missing"), file = directory.file("file");
  Deno.writeTextFileSync(file, "");
  const refused = "FATAL: failed to instantiate nsqd - failed to lock data-path:";
  const [ofMissing, ofFile] = await Promise.all([refusal(missing), refusal(file)]);
  assert.equal(ofMissing, `${refused} open ${missing}: no such file or directory`);
  assert.equal(ofFile, `${refused} ${file} is not a directory`);
});

Deno.test("nsqd does not start with an nsqd.dat that is no JSON, and leaves everything as it was", async () => {
  using directory = new Directory();
  Deno.writeTextFileSync(directory.file("nsqd.dat"), `{"topics":[`);
  assert.match(
    await refusal(directory.path),
    /^FATAL: failed to load metadata - failed to parse metadata in \S+\/nsqd\.dat - ./,
  );
  assert.deepEqual([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["nsqd.dat"]);
  assert.equal(Deno.readTextFileSync(directory.file("nsqd.dat")), `{"topics":[`);
});

Deno.test("nsqd does not start on files that it cannot read or make, and names them", async () => {
  using directory = new Directory();
  Deno.mkdirSync(directory.file("commit.000001.log"));
  // No process may make files there, however privileged.
  const forbidden = "/proc";
  const [ofLog, ofForbidden] = await Promise.all([refusal(directory.path), refusal(forbidden)]);
  const refused = "FATAL: failed to instantiate nsqd - failed to open the log in";
  assert.ok(
    ofLog.startsWith(`${refused} ${directory.path} - Cannot read ${directory.file("commit.000001.log")}: `),
    ofLog,
  );
  assert.ok(ofForbidden.startsWith(`${refused} ${forbidden} - `), ofForbidden);
  assert.match(ofForbidden, /os error \d+\): open '\/proc\/commit\.\d+\.log'$/);
});

Deno.test("nsqd writes its files for its owner alone, and nsqd.dat before a pause is answered", async () => {
  using directory = new Directory();
  {
    await using server = await startNsqd([], { directory: directory.path });
    const metadata = () => Deno.readTextFileSync(directory.file("nsqd.dat"));
    assert.equal(metadata(), `{"topics":null,"version":"1.3.0"}`);
    await server.http("POST", "/topic/create?topic=orders");
    await server.http("POST", "/channel/create?topic=orders&channel=archive");
    await server.http("POST", "/channel/create?topic=orders&channel=tail%23ephemeral");
    await server.http("POST", "/channel/pause?topic=orders&channel=archive");
    const paused = `{"name":"orders","paused":false,"channels":[{"name":"archive","paused":true}]}`;
    assert.equal(metadata(), `{"topics":[${paused}],"version":"1.3.0"}`);
    await server.http("POST", "/topic/pause?topic=orders");
    assert.match(metadata(), /"name":"orders","paused":true/);
    await server.http("POST", "/topic/unpause?topic=orders");
    await server.http("POST", "/pub?topic=orders", "a message");
    assert.equal(metadata(), `{"topics":[${paused}],"version":"1.3.0"}`);
  }
  for (const { name } of Deno.readDirSync(directory.path)) {
    assert.equal((Deno.statSync(directory.file(name)).mode! & 0o777).toString(8), "600", name);
  }
  await using again = await startNsqd([], { directory: directory.path });
  const { topics } = JSON.parse(await again.http("GET", "/stats?format=json"));
  assert.deepEqual(
    topics.map((
      topic: { topic_name: string; channels: { channel_name: string; paused: boolean; depth: number }[] },
    ) => [
      topic.topic_name,
      topic.channels.map(({ channel_name, paused, depth }) => [channel_name, paused, depth]),
    ]),
    [["orders", [["archive", true, 1]]]],
  );
});

Deno.test("nsqd takes a data path of the original over and serves it, byte for byte", async () => {
  using directory = new Directory();
  const topics = [{ name: "orders", channels: [{ name: "archive" }, { name: "mail", paused: true }] }];
  Deno.writeFileSync(directory.file("nsqd.dat"), originalMetadata(topics));
  const all = Array.from({ length: 30_000 }, (_, i) => ({ body: `message ${i} ${"é".repeat(i % 50)}` }));
  const queues = [
    new OriginalQueue("orders:archive", 1 << 20).write(...all).read(100),
    new OriginalQueue("orders:mail").write({ body: "twice before", attempts: 2 }),
  ];
  for (const queue of queues) {
    for (const [name, bytes] of queue.files()) Deno.writeFileSync(directory.file(name), bytes);
  }
  {
    await using program = await start(directory.path);
    assert.match(program.log, /TAKE-OVER: 2 queues of the original nsqd in /);
    assert.match(program.log, /TAKE-OVER: done, 29901 messages, \d+ bytes; the old files are in /);
    using consumer = await WireClient.open(program.port("nsqd", "TCP"));
    await consumer.subscribe("orders", "archive", 2500);
    for (let i = 100; i < all.length; i++) {
      const { id, body, attempts } = await consumer.message();
      if (body !== all[i].body || attempts !== 1) {
        assert.fail(`message ${i} came as ${body}, attempt ${attempts}`);
      }
      await consumer.send(`FIN ${id}\n`);
    }
    assert.equal(await consumer.ask("CLS\n"), "response CLOSE_WAIT", "the FINs before it were not taken");
    assert.equal(await program.stop(), 0);
  }
  await using again = await startNsqd([], { directory: directory.path });
  await again.http("POST", "/channel/unpause?topic=orders&channel=mail");
  using mail = await WireClient.open(again.tcpPort);
  await mail.subscribe("orders", "mail", 1);
  const { body, attempts } = await mail.message();
  assert.deepEqual([body, attempts], ["twice before", 3]);
  const { topics: [{ channels }] } = JSON.parse(
    await again.http("GET", "/stats?format=json&channel=archive"),
  );
  assert.equal(channels[0].depth, 0, "finished messages came back");
});
