/** The utilities, with the official Go client at the other end. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runTool, ToolProcess } from "../tools/tool_process.ts";
import { numbered, TestBroker } from "../tools/test_broker.ts";
import { buildGoClient } from "./build.ts";
import { type BuiltClient, ClientProgram } from "./client_program.ts";

const built = await buildGoClient();
const ignore = "reason" in built;
const goClient = built as Exclude<BuiltClient, { reason: string }>;
/** Of which the client program tells the body in full. */
const bodies = numbered("message ", 500);

Deno.test({
  name: "nsq pub, nsq to-nsq: what they publish comes to the Go client",
  ignore,
  async fn() {
    await using source = await TestBroker.start();
    await using destination = await TestBroker.start();
    await using consumer = new ClientProgram(goClient, { lookupd: destination.lookupd });
    await using _ = new ToolProcess("to-nsq", [
      "--topic=orders",
      `--lookupd-http-address=${source.lookupd}`,
      `--destination-nsqd-tcp-address=${destination.tcp}`,
      "--consumer-opt=lookupd_poll_interval,100ms",
    ]);
    const pub = await runTool(
      "pub",
      ["--topic=orders", `--nsqd-tcp-address=${source.tcp}`],
      bodies.join("\n"),
    );
    assert.equal(pub.code, 0, pub.stderr);
    await consumer.consume("orders", "go", { max_in_flight: 100 });
    await consumer.until("all messages", () => consumer.of("finished").length >= bodies.length);
    assert.deepEqual(consumer.of("message").map(({ body }) => body).sort(), [...bodies].sort());
    await destination.untilEmpty("orders", "go", bodies.length);
  },
});

Deno.test({
  name: "nsq to-file, nsq tail: what the Go client publishes comes into files and onto the screen",
  ignore,
  async fn() {
    await using broker = await TestBroker.start();
    await broker.createChannel("orders", "nsq_to_file");
    const directory = await Deno.makeTempDir({ prefix: "nsq-interop-" });
    try {
      await using producer = new ClientProgram(goClient, { nsqd: broker.tcp });
      await using tail = new ToolProcess("tail", ["--topic=orders", `--nsqd-tcp-address=${broker.tcp}`]);
      await tail.until("the connection", () => /connected/.test(tail.stderr));
      assert.equal(await producer.publish("orders", bodies.slice(1)), null);
      assert.equal(await producer.publish("orders", [bodies[0]]), null);
      await tail.until("all messages", () => tail.stdout.split("\n").length > bodies.length);
      assert.deepEqual(tail.stdout.trim().split("\n").sort(), [...bodies].sort());
      await using toFile = new ToolProcess("to-file", [
        "--topic=orders",
        `--lookupd-http-address=${broker.lookupd}`,
        `--output-dir=${directory}`,
        "--filename-format=<TOPIC>",
        "--sync-interval=50ms",
      ]);
      await broker.untilEmpty("orders", "nsq_to_file", bodies.length);
      assert.equal((await toFile.stop()).code, 0);
      const lines = (await Deno.readTextFile(join(directory, "orders"))).trim().split("\n");
      assert.deepEqual(lines.sort(), [...bodies].sort());
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
