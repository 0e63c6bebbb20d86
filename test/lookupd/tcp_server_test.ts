import assert from "node:assert/strict";
import { LookupTcpServer } from "../../src/lookupd/tcp_server.ts";
import { silentLogger, TestDb, until } from "./fixtures.ts";
import { int32, sized, V1Client } from "./v1_client.ts";

async function withServer(
  run: (port: number, db: TestDb, server: LookupTcpServer) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const db = new TestDb();
  const identity = {
    broadcastAddress: "127.0.0.1",
    hostname: "vm",
    tcpPort: port,
    httpPort: 5161,
    version: "1.3.0",
  };
  const server = new LookupTcpServer(listener, { db, identity, logger: silentLogger() });
  try {
    await run(port, db, server);
  } finally {
    await server.close();
    assert.equal(await server.ended, null);
  }
}

Deno.test("LookupTcpServer answers the captured exchange", async () => {
  await withServer(async (port, db) => {
    const client = await V1Client.connect(port);
    assert.equal(
      await client.identify(),
      `{"broadcast_address":"127.0.0.1","hostname":"vm","http_port":5161,"tcp_port":${port},"version":"1.3.0"}`,
    );
    assert.equal(await client.request("REGISTER t1 c1\n"), "OK");
    assert.equal(await client.request("PING\n"), "OK");
    assert.deepEqual(db.lookupAddresses("t1"), ["10.0.0.1"]);
    assert.equal([...db.producers][0].id, client.id);
    assert.equal(await client.request("UNREGISTER t1 c1\n"), "OK");
    assert.equal(await client.request("UNREGISTER t1\n"), "OK");
    assert.deepEqual(db.lookupAddresses("t1"), []);
    client.close();
    await until(() => db.producers.size === 0);
  });
});

Deno.test("LookupTcpServer answers commands in order that arrive together or byte by byte", async () => {
  await withServer(async (port) => {
    const client = await V1Client.connect(port);
    const body = sized(`{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"v"}`);
    await client.send("PING\nIDENTIFY\n", body, "REGISTER t c\nPING\n");
    assert.equal(await client.reply(), "OK");
    assert.match(await client.reply() ?? "", /^\{/);
    for (const byte of "REGISTER t2\n") await client.send(byte);
    for (let i = 0; i < 3; i++) assert.equal(await client.reply(), "OK");
    client.close();
  });
});

Deno.test("LookupTcpServer closes the connection after each error and drops its registrations", async () => {
  const cases: [bytes: (string | Uint8Array)[], text: string][] = [
    [["FOO\n"], "E_INVALID invalid command FOO"],
    [["\n"], "E_INVALID invalid command "],
    [["IDENTIFY\n", sized("{}")], "E_INVALID cannot IDENTIFY again"],
    [["REGISTER bad\xff\n"], "E_BAD_TOPIC REGISTER topic name 'bad\xc3\xbf' is not valid"],
    [["x".repeat(5000)], "E_INVALID command line is longer than 4096 bytes"],
  ];
  await withServer(async (port, db) => {
    for (const [bytes, text] of cases) {
      const client = await V1Client.connect(port);
      await client.identify();
      await client.request("REGISTER t c\n");
      assert.equal(await client.request(...bytes), text);
      assert.deepEqual(db.lookupAddresses("t"), []);
      assert.equal(await client.reply(), null);
      client.close();
    }
  });
});

Deno.test("LookupTcpServer answers a bad IDENTIFY body or size and closes", async () => {
  const cases: [bytes: Uint8Array, text: string][] = [
    [sized("not json"), "E_BAD_BODY IDENTIFY failed to decode JSON body"],
    [sized(""), "E_BAD_BODY IDENTIFY failed to decode JSON body"],
    [sized("{}"), "E_BAD_BODY IDENTIFY missing fields"],
    [int32(-1), "E_BAD_BODY IDENTIFY invalid body size -1"],
    [int32(0x7fffffff), "E_BAD_BODY IDENTIFY body too big 2147483647 > 65536"],
  ];
  await withServer(async (port) => {
    for (const [bytes, text] of cases) {
      const client = await V1Client.connect(port);
      assert.equal(await client.request("IDENTIFY\n", bytes), text);
      assert.equal(await client.reply(), null);
      client.close();
    }
  });
});

Deno.test("LookupTcpServer answers an IDENTIFY that ends early", async () => {
  const cases: [bytes: (string | Uint8Array)[], text: string][] = [
    [["IDENTIFY\n", new Uint8Array(2)], "E_BAD_BODY IDENTIFY failed to read body size"],
    [["IDENTIFY\n", int32(10), "short"], "E_BAD_BODY IDENTIFY failed to read body"],
  ];
  await withServer(async (port) => {
    for (const [bytes, text] of cases) {
      const client = await V1Client.connect(port);
      await client.send(...bytes);
      await client.closeWrite();
      assert.equal(await client.reply(), text);
      assert.equal(await client.reply(), null);
      client.close();
    }
  });
});

Deno.test("LookupTcpServer refuses another magic", async () => {
  await withServer(async (port) => {
    const client = await V1Client.connect(port, "  V2");
    assert.equal(await client.reply(), "E_BAD_PROTOCOL");
    assert.equal(await client.reply(), null);
    client.close();
  });
});

Deno.test("LookupTcpServer.close() ends connections that are idle, half sent or without magic", async () => {
  await withServer(async (port, _db, server) => {
    const clients = [
      await V1Client.connect(port),
      await V1Client.connect(port, "  "),
      await V1Client.connect(port),
    ];
    assert.match(await clients[0].identify() ?? "", /^\{/);
    await clients[2].send("IDENTIFY\n", int32(10));
    await until(() => server.connectionCount === 3);
    await server.close();
    assert.equal(server.connectionCount, 0);
    for (const client of clients) {
      assert.equal(await client.reply(), null);
      client.close();
    }
  });
});

Deno.test("LookupTcpServer stops reading from a client that does not read its replies", async () => {
  await withServer(async (port, _db, server) => {
    const client = await V1Client.connect(port);
    const flood = new TextEncoder().encode("PING\n".repeat(200_000));
    let isSent = false;
    const sending = (async () => {
      for (let i = 0; i < 20; i++) await client.send(flood);
      isSent = true;
    })();
    let executedBefore = -1;
    let standsStill = 0;
    await until(() => {
      standsStill = server.commandCount === executedBefore ? standsStill + 1 : 0;
      executedBefore = server.commandCount;
      return standsStill > 20;
    });
    assert.equal(isSent, false);
    client.close();
    await assert.rejects(sending);
  });
});
