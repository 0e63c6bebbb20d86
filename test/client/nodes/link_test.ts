import assert from "node:assert/strict";
import type { Connection } from "../../../src/client/connection/connection.ts";
import type { NsqError } from "../../../src/client/errors.ts";
import { Consumer } from "../../../src/client/consumer/consumer.ts";
import { Link } from "../../../src/client/nodes/link.ts";
import { resolveConnecting } from "../../../src/client/options/options.ts";
import { FakeNode } from "../support/fake_node.ts";

async function unusedAddress(): Promise<string> {
  const node = await FakeNode.start();
  const { address } = node;
  await node[Symbol.asyncDispose]();
  return address;
}

function linkTo(
  addresses: readonly string[],
  onOpen: (connection: Connection) => void,
  onFailed: (error: NsqError) => void,
): Link {
  const options = resolveConnecting({ nsqd: addresses, reconnectDelayMs: 1, lookupdPollIntervalMs: 10 });
  return new Link(addresses[0], addresses, options, true, {
    onOpen: (_, connection) => onOpen(connection),
    onFailed: (_, error) => onFailed(error),
  });
}

Deno.test("Link.connect() takes the first address that can be reached", async () => {
  await using node = await FakeNode.start();
  let opened: Connection | undefined;
  const link = linkTo(
    [await unusedAddress(), node.address],
    (connection) => opened = connection,
    () => assert.fail(),
  );
  assert.equal(await link.connect(), null);
  assert.equal(opened?.address, node.address);
  link.stop();
  opened?.destroy(null);
});

Deno.test("Link tries again after failures until the node is there", async () => {
  const address = await unusedAddress();
  const opened = Promise.withResolvers<Connection>(), enough = Promise.withResolvers<void>();
  let failures = 0;
  const link = linkTo([address], opened.resolve, () => ++failures === 3 && enough.resolve());
  const first = await link.connect();
  assert.match(first!.message, /connection refused/);
  await enough.promise;
  await using _node = await FakeNode.start({}, Number(address.split(":")[1]));
  const connection = await opened.promise;
  link.stop();
  connection.destroy(null);
});

Deno.test("Link.stop() ends the attempt that is being made", async () => {
  await using silent = await FakeNode.start({ onCommand: () => true });
  const link = linkTo(
    [silent.address],
    () => assert.fail("it was stopped"),
    () => assert.fail("it was stopped"),
  );
  const attempt = link.connect();
  await silent.command(({ line }) => line === "IDENTIFY");
  link.stop();
  assert.equal((await attempt)?.code, "ERR_NSQ_CLOSED");
  assert.equal(link.isConnecting, false);
});

Deno.test("Links leave no descriptor behind, however often nodes refuse or end their connections", async () => {
  if (Deno.build.os !== "linux") {
    console.log("Skipped: open descriptors cannot be counted on this system");
    return;
  }
  const openDescriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
  await using ending = await FakeNode.start({
    onCommand(client, { line }) {
      if (line.startsWith("SUB")) client.socket.destroy();
    },
  });
  const options = { reconnectDelayMs: 1, lookupdPollIntervalMs: 10 };
  const refusing = new Consumer("orders", "mail", { nsqd: await unusedAddress(), ...options });
  const losing = new Consumer("orders", "mail", { nsqd: ending.address, ...options });
  const after = async (consumer: Consumer, count: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let events = 0;
    const off = consumer.on("error", () => ++events === count && resolve());
    consumer.run(() => {});
    await promise;
    off();
  };
  await Promise.all([after(refusing, 20), after(losing, 20)]);
  const before = openDescriptors();
  await Promise.all([after(refusing, 300), after(losing, 100)]);
  // A connection may be open at each of the two moments, with both of its ends in this process.
  assert.ok(Math.abs(openDescriptors() - before) <= 4, `${before} descriptors became ${openDescriptors()}`);
  await Promise.all([refusing.close(), losing.close()]);
});
