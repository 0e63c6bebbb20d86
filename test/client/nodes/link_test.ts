import assert from "node:assert/strict";
import type { Connection } from "../../../src/client/connection/connection.ts";
import type { NsqError } from "../../../src/client/errors.ts";
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
