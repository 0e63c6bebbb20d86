/** `nsq to-file` at work: each of its flags, signals, and what happens when nsqd or the disk go away. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { toFileOptions } from "../../../src/tools/to_file/to_file_options.ts";
import { toFileTool } from "../../../src/tools/to_file/to_file.ts";
import { until } from "../../support/program_process.ts";
import { type StartedTool, startTool } from "../started_tool.ts";
import { numbered, TestBroker } from "../test_broker.ts";
import { ToolProcess } from "../tool_process.ts";

/** Where one run writes. */
class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "nsq-to-file-" });

  /** All files below, by path, with what is in them. */
  files(lead = ""): Record<string, string> {
    const found: Record<string, string> = {};
    for (
      const entry of [...Deno.readDirSync(join(this.path, lead))].sort((a, b) => a.name < b.name ? -1 : 1)
    ) {
      const path = join(lead, entry.name);
      if (entry.isDirectory) Object.assign(found, this.files(path));
      else found[path] = textOf(join(this.path, path));
    }
    return found;
  }

  /** All messages in them. */
  lines(): string[] {
    return Object.values(this.files()).flatMap((text) => text.split("\n").filter((line) => line !== ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

function textOf(path: string): string {
  const bytes = Deno.readFileSync(path);
  return new TextDecoder().decode(path.endsWith(".gz") && bytes.length > 0 ? gunzipSync(bytes) : bytes);
}

interface Scene {
  broker: TestBroker;
  folder: Folder;
  /** A topic of this scene only, with three messages waiting in the channel nsq_to_file. */
  topic: string;
  start(...flags: string[]): Promise<StartedTool>;
  /** Resolves when the three messages are finished. */
  finished(): Promise<void>;
}

let topicCount = 0;

async function inScene(broker: TestBroker, act: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = new Folder();
  const topic = `topic_${topicCount++}`;
  await broker.createChannel(topic, "nsq_to_file");
  await broker.publish(topic, "a", "b", "c");
  const start = (...flags: string[]) =>
    startTool(
      toFileTool,
      `--output-dir=${folder.path}`,
      "--log-level=fatal",
      "--consumer-opt=lookupd_poll_interval,100ms",
      ...flags,
    );
  const finished = () => broker.untilEmpty(topic, "nsq_to_file", 3);
  await act({ broker, folder, topic, start, finished });
}

const ABC = "a\nb\nc\n";
const QUICK = "--sync-interval=50ms";

/** Runs with `flags` besides the addresses until the messages are finished and it has stopped; returns the files. */
async function filesWith({ broker, topic, folder, start, finished }: Scene, ...flags: string[]) {
  const tool = await start(`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, QUICK, ...flags);
  await finished();
  await tool[Symbol.asyncDispose]();
  return folder.files();
}

/** For each flag a run in which it makes the difference. */
const acts: Record<string, (scene: Scene) => Promise<void>> = {
  "topic": async (scene) => {
    const { broker, topic } = scene;
    await broker.createChannel(`${topic}_more`, "nsq_to_file");
    await broker.publish(`${topic}_more`, "z");
    const files = await filesWith(scene, `--topic=${topic}_more`, "--filename-format=<TOPIC>");
    assert.deepEqual(files, { [topic]: ABC, [`${topic}_more`]: "z\n" });
  },
  "topic-pattern": async (scene) => {
    const { topic, broker } = scene;
    const files = await filesWith(
      scene,
      "--topic=never",
      `--topic-pattern=${topic}$`,
      "--filename-format=<TOPIC>",
    );
    assert.deepEqual(files, { [topic]: ABC });
    assert.equal(await broker.channel("never", "nsq_to_file"), undefined);
  },
  "topic-refresh": async ({ broker, topic, folder, start, finished }) => {
    await using _ = await start(
      `--lookupd-http-address=${broker.lookupd}`,
      `--topic-pattern=${topic}`,
      "--topic-refresh=50ms",
      "--filename-format=<TOPIC>",
      QUICK,
    );
    await finished();
    await broker.publish(`new_${topic}`, "n");
    await until("the file of the new topic", () => folder.files()[`new_${topic}`] === "n\n");
  },
  "channel": async ({ broker, topic, start }) => {
    await using _ = await start(`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, "--channel=other");
    await broker.untilChannel(topic, "other", "a consumer", ({ client_count: count }) => count === 1);
  },
  "nsqd-tcp-address": async (scene) => {
    assert.deepEqual(Object.values(await filesWith(scene)), [ABC]);
  },
  "lookupd-http-address": async ({ broker, topic, folder, start, finished }) => {
    await using _ = await start(`--lookupd-http-address=${broker.lookupd}`, `--topic=${topic}`, QUICK);
    await finished();
    assert.deepEqual(Object.values(folder.files()), [ABC]);
  },
  "consumer-opt": async ({ broker, topic, start }) => {
    await using _ = await start(
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      "--consumer-opt=client_id,me",
      "--consumer-opt=snappy",
    );
    await broker.untilChannel(
      topic,
      "nsq_to_file",
      "the client",
      ({ clients }) => clients?.length === 1 && clients[0].client_id === "me" && clients[0].snappy,
    );
    const [client] = (await broker.channel(topic, "nsq_to_file"))!.clients!;
    assert.equal(client.user_agent, "nsq_to_file/1.3.0 go-nsq/1.1.0");
  },
  "max-in-flight": async ({ broker, topic, start, finished }) => {
    const flags = [`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, "--sync-interval=1h"];
    {
      await using _ = await start(...flags, "--max-in-flight=100");
      await broker.untilChannel(
        topic,
        "nsq_to_file",
        "messages in flight",
        (counts) => counts.in_flight_count === 3,
      );
    }
    await broker.createChannel(`${topic}_2`, "nsq_to_file");
    await broker.publish(`${topic}_2`, "a", "b", "c");
    await using _ = await start(...flags, `--topic=${topic}_2`, "--max-in-flight=3");
    await finished();
    await broker.untilEmpty(`${topic}_2`, "nsq_to_file", 3);
  },
  "output-dir": async (scene) => {
    const other = join(scene.folder.path, "made/on/the/way");
    const files = await filesWith(scene, `--output-dir=${other}`, "--filename-format=x");
    assert.deepEqual(files, { "made/on/the/way/x": ABC });
  },
  "work-dir": async (scene) => {
    const { broker, topic, folder, start, finished } = scene;
    const flags = [
      `--work-dir=${folder.path}/work`,
      `--output-dir=${folder.path}/out`,
      "--filename-format=<TOPIC><REV>",
    ];
    const tool = await start(`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, QUICK, ...flags);
    await finished();
    assert.deepEqual(folder.files(), { [`work/${topic}-000000`]: ABC });
    await tool[Symbol.asyncDispose]();
    assert.deepEqual(folder.files(), { [`out/${topic}-000000`]: ABC });
  },
  "datetime-format": async (scene) => {
    const files = await filesWith(scene, "--datetime-format=on-%Y", "--filename-format=<DATETIME>");
    assert.deepEqual(files, { [`on-${new Date().getFullYear()}`]: ABC });
  },
  "filename-format": async (scene) => {
    const files = await filesWith(scene, "--filename-format=sub/<TOPIC>.<PID><REV>");
    assert.deepEqual(files, { [`sub/${scene.topic}.${Deno.pid}`]: ABC });
  },
  "host-identifier": async (scene) => {
    const files = await filesWith(scene, "--filename-format=<HOST>", "--host-identifier=x-<SHORT_HOST>");
    assert.deepEqual(files, { [`x-${Deno.hostname().split(".")[0]}`]: ABC });
  },
  "gzip": async (scene) => {
    const files = await filesWith(scene, "--gzip", "--filename-format=<TOPIC><REV>");
    assert.deepEqual(files, { [`${scene.topic}-000000.gz`]: ABC });
  },
  "gzip-level": async (scene) => {
    const { broker, topic, folder } = scene;
    const sizes: number[] = [];
    for (const level of [1, 9]) {
      const large = `${topic}_${level}`;
      await broker.createChannel(large, "nsq_to_file");
      await broker.publish(large, Array.from({ length: 20_000 }, (_, i) => i * 7919 % 1013).join(","));
      await using _ = await scene.start(
        `--nsqd-tcp-address=${broker.tcp}`,
        `--topic=${large}`,
        QUICK,
        "--gzip",
        `--gzip-level=${level}`,
        `--filename-format=${level}<REV>`,
      );
      await broker.untilEmpty(large, "nsq_to_file", 1);
      sizes.push(Deno.statSync(join(folder.path, `${level}-000000.gz`)).size);
    }
    assert.ok(sizes[1] < sizes[0], String(sizes));
  },
  "skip-empty-files": async ({ broker, topic, folder, start }) => {
    const flags = [`--nsqd-tcp-address=${broker.tcp}`, "--channel=empty", "--sync-interval=20ms"];
    await using _ = await start(
      ...flags,
      `--topic=${topic}_skipped`,
      "--skip-empty-files",
      "--filename-format=skipped",
    );
    await using __ = await start(...flags, `--topic=${topic}_opened`, "--filename-format=opened");
    await until("the empty file", () => "opened" in folder.files());
    assert.deepEqual(folder.files(), { opened: "" });
  },
  "rotate-size": async (scene) => {
    const files = await filesWith(scene, "--rotate-size=1", "--skip-empty-files", "--filename-format=x<REV>");
    assert.deepEqual(files, { "x-000000": "a\n", "x-000001": "b\n", "x-000002": "c\n" });
  },
  "rotate-interval": async (scene) => {
    const { broker, topic, folder, start, finished } = scene;
    const flags = ["--rotate-interval=40ms", "--filename-format=x<REV>"];
    await using _ = await start(`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, QUICK, ...flags);
    await finished();
    await until("the next file", () => "x-000001" in folder.files());
  },
  "sync-interval": async ({ broker, topic, start, finished }) => {
    const flags = [`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`];
    {
      await using _ = await start(...flags, "--sync-interval=1h");
      await broker.untilChannel(
        topic,
        "nsq_to_file",
        "messages in flight",
        (counts) => counts.in_flight_count === 3,
      );
    }
    await using _ = await start(...flags, "--sync-interval=30ms");
    await finished();
  },
  "log-level": async ({ broker, topic, folder }) => {
    const flags = [
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      `--output-dir=${folder.path}`,
      QUICK,
    ];
    await using tool = new ToolProcess("nsq_to_file", [...flags, "--log-level=error"]);
    await broker.untilEmpty(topic, "nsq_to_file", 3);
    assert.doesNotMatch((await tool.stop()).stderr, / INFO: /);
  },
  "log-prefix": async ({ broker, topic, folder }) => {
    const flags = [
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      `--output-dir=${folder.path}`,
      QUICK,
    ];
    await using tool = new ToolProcess("to-file", [...flags, "--log-prefix=[mine] "]);
    await broker.untilEmpty(topic, "nsq_to_file", 3);
    const { code, stderr } = await tool.stop();
    assert.equal(code, 0);
    assert.match(stderr, /^\[mine\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} INFO: opening /m);
    assert.match(stderr, new RegExp(`INFO: \\[${topic}/nsq_to_file\\] syncing 3 records to disk`));
  },
  "http-client-connect-timeout": async ({ folder }) =>
    await asksInTime(folder, "--http-client-connect-timeout=5s"),
  "http-client-request-timeout": async ({ folder }) =>
    await asksInTime(folder, "--http-client-request-timeout=50ms"),
};

/** A lookupd that accepts and says nothing is given up in time. */
async function asksInTime(folder: Folder, flag: string): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using tool = new ToolProcess("to-file", [
    "--topic-pattern=.",
    "--http-client-request-timeout=100ms",
    `--lookupd-http-address=127.0.0.1:${listener.addr.port}`,
    `--output-dir=${folder.path}`,
    flag,
  ]);
  await tool.until(
    "the error",
    () => /ERROR: could not retrieve topic list: .*127\.0\.0\.1:\d+.*: no reply/.test(tool.stderr),
  );
}

Deno.test("nsq to-file: each flag acts", async (t) => {
  await using broker = await TestBroker.start();
  const flags = toFileOptions.map(({ name }) => name).filter((name) =>
    name !== "version" && name !== "config"
  );
  assert.deepEqual(Object.keys(acts).sort(), [...flags].sort());
  for (const [name, act] of Object.entries(acts)) {
    await t.step(`--${name}`, () => inScene(broker, act));
  }
});

Deno.test("nsq to-file on SIGHUP goes on in another file, also with a work directory", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ topic, folder, finished }) => {
    await using tool = new ToolProcess("to-file", [
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      `--output-dir=${folder.path}/out`,
      `--work-dir=${folder.path}/work`,
      "--filename-format=<REV>",
      QUICK,
    ]);
    await finished();
    tool.signal("SIGHUP");
    await until("the finished file", () => "out/-000000" in folder.files());
    await broker.publish(topic, "d");
    await broker.untilEmpty(topic, "nsq_to_file", 4);
    assert.equal((await tool.stop("SIGINT")).code, 0);
    assert.deepEqual(folder.files(), { "out/-000000": ABC, "out/-000001": "d\n" });
  });
});

Deno.test("nsq to-file finishes nothing that is not on the disk, and stops with everything there", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ topic, folder, start, finished }) => {
    const tool = await start(`--nsqd-tcp-address=${broker.tcp}`, `--topic=${topic}`, "--sync-interval=1h");
    await broker.untilChannel(
      topic,
      "nsq_to_file",
      "messages in flight",
      (counts) => counts.in_flight_count === 3,
    );
    await tool[Symbol.asyncDispose]();
    await finished();
    assert.deepEqual(folder.lines(), ["a", "b", "c"]);
  });
});

Deno.test("nsq to-file takes nothing while the disk refuses, holds what it has, and goes on when it can", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ topic, folder, start }) => {
    // Nothing can be made in a directory that is a file.
    Deno.writeTextFileSync(join(folder.path, "sub"), "");
    await using _ = await start(
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      "--max-in-flight=2",
      "--filename-format=sub/x",
      // Else the clock may want a file before the first message, and nothing is held.
      "--skip-empty-files",
      QUICK,
    );
    // How many came before the first write failed is up to the machine; one stays behind in any case.
    await broker.untilChannel(
      topic,
      "nsq_to_file",
      "what is held",
      ({ in_flight_count: held, depth, clients }) =>
        held > 0 && held + depth === 3 &&
        (clients![0] as unknown as { ready_count: number }).ready_count === 0,
    );
    Deno.removeSync(join(folder.path, "sub"));
    await broker.untilEmpty(topic, "nsq_to_file", 3);
    assert.deepEqual(folder.lines(), ["a", "b", "c"]);
    assert.equal((await broker.channel(topic, "nsq_to_file"))!.requeue_count, 0);
  });
});

Deno.test("nsq to-file waits for an nsqd that is not there yet, and for one that is killed", async () => {
  await using broker = await TestBroker.start();
  await inScene(broker, async ({ topic, folder, start }) => {
    await using _ = await start(
      `--nsqd-tcp-address=${broker.tcp}`,
      `--topic=${topic}`,
      "--sync-interval=20ms",
      "--max-in-flight=50",
    );
    const bodies = numbered("m", 5_000);
    await broker.publish(topic, ...bodies.slice(0, 2_500));
    await broker.restart();
    await broker.publish(topic, ...bodies.slice(2_500));
    await until("all messages in files", () => {
      const lines = new Set(folder.lines());
      return bodies.every((body) => lines.has(body));
    });
  });
});
