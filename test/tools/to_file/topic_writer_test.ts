import assert from "node:assert/strict";
import type { Consumer, Message } from "../../../src/client/mod.ts";
import { Logger } from "../../../src/log/logger.ts";
import type { RecordBatch } from "../../../src/tools/to_file/record_batch.ts";
import type { TopicFiles } from "../../../src/tools/to_file/topic_files.ts";
import { TopicWriter } from "../../../src/tools/to_file/topic_writer.ts";
import { ToolError } from "../../../src/tools/tool.ts";
import { until } from "../../support/program_process.ts";

/** A consumer whose messages a test hands over, with the part of the client's that the writer uses. */
class FakeConsumer {
  maxInFlight = 10;
  isStarved = false;
  finished: string[] = [];
  touched: string[] = [];
  #handler: (message: Message) => void = () => {};
  #close: () => void = () => {};
  readonly #closed = new Promise<void>((resolve) => this.#close = resolve);

  run(handler: (message: Message) => void): Promise<void> {
    this.#handler = handler;
    return this.#closed;
  }

  close(): Promise<void> {
    this.#close();
    return this.#closed;
  }

  deliver(body: string): void {
    const message = {
      body: new TextEncoder().encode(body),
      detach: () => {},
      finish: () => this.finished.push(body) > 0,
      touch: () => this.touched.push(body) > 0,
    };
    this.#handler(message as unknown as Message);
  }
}

/** Files that note what is done to them, and refuse it while they are told to. */
class FakeFiles {
  isRefusing = false;
  put_ = "";
  synced = "";

  put(batch: RecordBatch): Promise<void> {
    if (this.isRefusing) return Promise.reject(new Error("the disk is full"));
    this.put_ += new TextDecoder().decode(batch.take(Infinity));
    return Promise.resolve();
  }

  sync(): Promise<void> {
    if (this.isRefusing) return Promise.reject(new Error("the disk is full"));
    this.synced = this.put_;
    return Promise.resolve();
  }

  tick(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.sync();
  }

  abandon(): void {}
}

function start(settings: { syncIntervalMs: number }) {
  const consumer = new FakeConsumer(), files = new FakeFiles();
  const lines: string[] = [];
  const writer = new TopicWriter(
    consumer as unknown as Consumer,
    files as unknown as TopicFiles,
    { label: "t/c", maxInFlight: 10, ...settings },
    new Logger("debug", "", (line) => lines.push(line)),
  );
  return { consumer, files, lines, writer };
}

Deno.test("TopicWriter finishes a message only after the sync that it was part of", async () => {
  const { consumer, files, writer } = start({ syncIntervalMs: 3_600_000 });
  consumer.deliver("a");
  await until("the message in the file", () => files.put_ === "a\n");
  assert.deepEqual([files.synced, consumer.finished], ["", []]);
  consumer.isStarved = true;
  consumer.deliver("b");
  await until("both finished", () => consumer.finished.length === 2);
  assert.deepEqual([files.synced, consumer.finished], ["a\nb\n", ["a", "b"]]);
  writer.stop();
  await writer.done;
});

Deno.test("TopicWriter takes nothing and touches what it holds while the disk refuses, then goes on", async () => {
  const { consumer, files, lines, writer } = start({ syncIntervalMs: 3_600_000 });
  files.isRefusing = true;
  consumer.isStarved = true;
  consumer.deliver("a");
  await until("the pause", () => consumer.maxInFlight === 0);
  assert.deepEqual([consumer.touched, consumer.finished], [["a"], []]);
  files.isRefusing = false;
  await until("the end of the pause", () => consumer.maxInFlight === 10);
  await until("the message finished", () => consumer.finished.length === 1);
  assert.deepEqual(files.synced, "a\n");
  assert.match(lines.join(""), /ERROR: \[t\/c\] cannot write: the disk is full; .*1 messages are held/);
  writer.stop();
  await writer.done;
});

Deno.test("TopicWriter that is stopped while the disk refuses ends once the messages are given back, and says so", async () => {
  const { consumer, files, writer } = start({ syncIntervalMs: 3_600_000 });
  files.isRefusing = true;
  consumer.deliver("a");
  await until("the pause", () => consumer.maxInFlight === 0);
  writer.stop();
  await assert.rejects(
    writer.done,
    new ToolError("cannot write: the disk is full; what was not synced was given back"),
  );
  assert.deepEqual(consumer.finished, []);
});

Deno.test("TopicWriter.abandon() ends at once", async () => {
  const { consumer, files, writer } = start({ syncIntervalMs: 3_600_000 });
  files.isRefusing = true;
  consumer.deliver("a");
  await until("the pause", () => consumer.maxInFlight === 0);
  writer.abandon();
  await writer.done;
  assert.deepEqual(consumer.finished, []);
});
