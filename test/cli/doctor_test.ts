import assert from "node:assert/strict";
import { formatReport, run } from "../../src/cli/doctor.ts";
import { type CheckResult, runChecks } from "../../src/cluster/doctor_checks.ts";

/** What a node announces, and what answers on its ports. */
interface FakeNode {
  broadcast_address: string;
  broadcast_addresses?: string[];
  tcp_port: number;
  http_port: number;
  remote_address?: string;
}

/** Listeners that live as long as one test. */
class Servers {
  readonly #https: Deno.HttpServer<Deno.NetAddr>[] = [];
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #conns: Deno.Conn[] = [];

  /** Serves `answers` by path; returns the port. */
  http(answers: Record<string, unknown>, status = 200): number {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const answer = answers[new URL(request.url).pathname];
      if (answer === undefined) return new Response(`{"message":"NOT_FOUND"}`, { status: 404 });
      return typeof answer === "string"
        ? new Response(answer, { status })
        : Response.json(answer, { status });
    });
    this.#https.push(server);
    return server.addr.port;
  }

  lookupd(...producers: FakeNode[]): string {
    const nodes = producers.map((node) => ({
      remote_address: "127.0.0.1:50000",
      hostname: `host-of-${node.broadcast_address}`,
      version: "1.3.0",
      tombstones: [],
      topics: [],
      ...node,
    }));
    return `127.0.0.1:${this.http({ "/nodes": { producers: nodes } })}`;
  }

  /** Sends `answer` to whoever sends something; returns the port. */
  tcp(answer: Uint8Array): number {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#listeners.push(listener);
    void (async () => {
      for await (const conn of listener) {
        this.#conns.push(conn);
        if (await conn.read(new Uint8Array(1024)) !== null) await conn.write(answer);
      }
    })();
    return listener.addr.port;
  }

  /** A broker that is well. */
  nsqd(host = "127.0.0.1"): FakeNode {
    const version = frame(0, `{"version":"1.3.0"}`);
    return { broadcast_address: host, tcp_port: this.tcp(version), http_port: this.http({ "/ping": "OK" }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const conn of this.#conns) conn.close();
    for (const listener of this.#listeners) listener.close();
    for (const server of this.#https) await server.shutdown();
  }
}

function frame(type: number, text: string): Uint8Array {
  const bytes = new Uint8Array(8 + text.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 4 + text.length);
  view.setInt32(4, type);
  bytes.set(new TextEncoder().encode(text), 8);
  return bytes;
}

async function check(lookupds: string[], nsqds: string[] = []): Promise<CheckResult[]> {
  return await runChecks({ lookupdHttpAddresses: lookupds, nsqdHttpAddresses: nsqds, timeoutMs: 1000 });
}

function summary(results: CheckResult[]): string[] {
  return results.map(({ status, subject, check }) => `${status} ${subject} ${check}`);
}

function adviceOf(results: CheckResult[], check: string): string {
  return results.find((result) => result.status !== "ok" && result.check === check)?.advice ?? "";
}

Deno.test("runChecks() finds nothing wrong with a node that answers", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd(servers.nsqd())]);
  assert.deepEqual(summary(results), ["ok lookupd http", "ok nsqd resolve", "ok nsqd tcp", "ok nsqd http"]);
  assert.match(results[2].detail, /nsqd 1\.3\.0/);
});

Deno.test("runChecks() says so when a lookupd does not answer", async () => {
  const results = await check(["127.0.0.1:1"]);
  assert.deepEqual(summary(results), ["FAIL lookupd http"]);
  assert.match(results[0].advice, /--http-address/);
});

Deno.test("runChecks() names --broadcast-address when the name does not resolve", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd(servers.nsqd("no-such-host.invalid"))]);
  assert.deepEqual(summary(results), ["ok lookupd http", "FAIL nsqd resolve"]);
  assert.match(adviceOf(results, "resolve"), /host-of-no-such-host.*127\.0\.0\.1:50000.*--broadcast-address/);
});

Deno.test("runChecks() names --broadcast-address when a node elsewhere announces loopback", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd({ ...servers.nsqd(), remote_address: "10.0.0.7:50000" })]);
  assert.deepEqual(summary(results), ["ok lookupd http", "FAIL nsqd resolve"]);
  assert.match(adviceOf(results, "resolve"), /--broadcast-address/);
});

Deno.test("runChecks() tells that a loopback address works on this machine only", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd(servers.nsqd())]);
  assert.equal(results[1].detail, "is a loopback address, for this machine only");
});

Deno.test("runChecks() warns of a lookupd that lists no nodes", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd()]);
  assert.deepEqual(summary(results), ["warn lookupd http"]);
  assert.match(adviceOf(results, "http"), /--lookupd-tcp-address/);
});

Deno.test("runChecks() names the port flags and the listening addresses when a port is closed", async () => {
  await using servers = new Servers();
  const results = await check([
    servers.lookupd({ broadcast_address: "127.0.0.1", tcp_port: 1, http_port: 2 }),
  ]);
  assert.deepEqual(summary(results).slice(2), ["FAIL nsqd tcp", "FAIL nsqd http"]);
  assert.match(adviceOf(results, "tcp"), /--tcp-address.*--broadcast-tcp-port \(announced is 1\)/);
  assert.deepEqual(results.slice(2).map(({ detail }) => detail), [
    "Connection refused",
    "Connection refused",
  ]);
  assert.match(adviceOf(results, "http"), /--http-address.*--broadcast-http-port \(announced is 2\)/);
});

Deno.test("runChecks() tells a port that speaks something else", async () => {
  await using servers = new Servers();
  const answers = [
    new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    frame(1, "E_BAD_PROTOCOL"),
    frame(0, "not json"),
    new Uint8Array(0),
  ];
  for (const answer of answers) {
    const node = {
      ...servers.nsqd(),
      tcp_port: servers.tcp(answer),
      http_port: servers.http({ "/ping": "hi" }),
    };
    const results = await check([servers.lookupd(node)]);
    assert.deepEqual(summary(results).slice(2), ["FAIL nsqd tcp", "FAIL nsqd http"]);
    assert.match(adviceOf(results, "tcp"), /--broadcast-tcp-port/);
    assert.match(adviceOf(results, "http"), /--broadcast-http-port/);
  }
});

Deno.test("runChecks() reports an unhealthy node and accepts one that wants TLS", async () => {
  await using servers = new Servers();
  const sick = { ...servers.nsqd(), http_port: servers.http({ "/ping": "NOK - disk full" }, 500) };
  const results = await check([servers.lookupd(sick)]);
  assert.match(adviceOf(results, "http"), /unhealthy/);
  const tls = { ...servers.nsqd(), http_port: servers.http({ "/ping": "TLS" }, 403) };
  assert.equal((await check([servers.lookupd(tls)])).at(-1)?.status, "ok");
});

Deno.test("runChecks() warns of an address that fails while another of the node works", async () => {
  await using servers = new Servers();
  const broadcast_addresses = ["inside.invalid", "127.0.0.1"];
  const results = await check([servers.lookupd({ ...servers.nsqd("inside.invalid"), broadcast_addresses })]);
  assert.deepEqual(summary(results).slice(1), [
    "warn nsqd resolve",
    "ok nsqd resolve",
    "ok nsqd tcp",
    "ok nsqd http",
  ]);
});

Deno.test("runChecks() finds a node that one lookupd lists and another does not", async () => {
  await using servers = new Servers();
  const results = await check([servers.lookupd(servers.nsqd()), servers.lookupd()]);
  assert.equal(results.at(-1)?.check, "registered");
  assert.match(adviceOf(results, "registered"), /--lookupd-tcp-address/);
});

Deno.test("runChecks() finds a given nsqd that no lookupd lists", async () => {
  await using servers = new Servers();
  const info = { version: "1.3.0", broadcast_address: "nodeA", hostname: "host-of-nodeA" };
  const nsqd = `127.0.0.1:${servers.http({ "/info": info })}`;
  const missing = await check([servers.lookupd()], [nsqd, "127.0.0.1:1"]);
  assert.deepEqual(summary(missing).slice(1), ["ok nsqd http", "FAIL nsqd registered", "FAIL nsqd http"]);
  const listed = await check([servers.lookupd({ ...servers.nsqd(), broadcast_address: "nodeA" })], [nsqd]);
  assert.equal(summary(listed).includes("FAIL nsqd registered"), false);
});

Deno.test("formatReport() aligns columns and puts advice below its line", () => {
  const results: CheckResult[] = [
    {
      status: "ok",
      subject: "lookupd",
      address: "a:4161",
      check: "http",
      detail: "lists 1 nodes",
      advice: "",
    },
    {
      status: "FAIL",
      subject: "nsqd",
      address: "b",
      check: "resolve",
      detail: "unknown",
      advice: "change it",
    },
  ];
  assert.equal(
    formatReport(results),
    [
      "RESULT  WHAT     ADDRESS  CHECK    DETAIL",
      "ok      lookupd  a:4161   http     lists 1 nodes",
      "FAIL    nsqd     b        resolve  unknown",
      "        -> change it",
      "",
      "2 checks: 1 failed, 0 warnings",
    ].join("\n"),
  );
});

Deno.test("run() of the doctor without an address is a usage error", async () => {
  assert.equal(await run([]), 2);
  assert.equal(await run(["--nope"]), 2);
});
