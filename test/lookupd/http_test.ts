import assert from "node:assert/strict";
import { runLookupd } from "../../src/lookupd/lookupd.ts";
import { StartupError } from "../../src/log/startup_error.ts";
import type { LookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { silentLogger, until } from "./fixtures.ts";
import { header, sendHalfClosed } from "../http/raw_http.ts";
import { V1Client } from "./v1_client.ts";

const OPTIONS: LookupdOptions = {
  version: false,
  config: "",
  checkConfig: false,
  logLevel: "info",
  logFormat: "text",
  logPrefix: "",
  verbose: false,
  httpServerIdleTimeout: 180_000,
  httpServerRequestTimeout: 600_000,
  tcpAddress: "127.0.0.1:0",
  httpAddress: "127.0.0.1:0",
  broadcastAddress: "127.0.0.1",
  inactiveProducerTimeout: 300_000,
  tombstoneLifetime: 45_000,
  dataPath: "",
};

/** A running lookupd and short ways to ask it. */
class Running {
  constructor(readonly tcpPort: number, readonly httpPort: number) {}

  async fetch(method: string, path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.httpPort}${path}`, { method, redirect: "manual" });
  }

  /** `status body` */
  async ask(method: string, path: string): Promise<string> {
    const response = await this.fetch(method, path);
    return `${response.status} ${await response.text()}`;
  }

  async node(name: string, ...registrations: string[]): Promise<V1Client> {
    const client = await V1Client.connect(this.tcpPort);
    await client.identify({
      broadcast_address: name,
      hostname: name,
      version: "1.3.0",
      topology_zone: "az1",
      topology_region: "eu",
    });
    for (const names of registrations) assert.equal(await client.request(`REGISTER ${names}\n`), "OK");
    return client;
  }
}

function portOf(address: string): number {
  return Number(address.split(":")[1]);
}

async function withLookupd(
  run: (lookupd: Running) => Promise<void>,
  options: Partial<LookupdOptions> = {},
  lines: string[] = [],
): Promise<void> {
  const lookupd = await runLookupd({ ...OPTIONS, ...options }, silentLogger(lines));
  try {
    await run(new Running(portOf(lookupd.tcpAddress), portOf(lookupd.httpAddress)));
  } finally {
    await lookupd.stop();
    assert.equal(await lookupd.done, 0);
  }
}

Deno.test("GET /ping answers OK as text without the NSQ header", async () => {
  await withLookupd(async (lookupd) => {
    const response = await lookupd.fetch("GET", "/ping");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(response.headers.get("x-nsq-content-type"), null);
    assert.equal(await response.text(), "OK");
  });
});

Deno.test("GET /info has the version and nothing else", async () => {
  await withLookupd(async (lookupd) => {
    const response = await lookupd.fetch("GET", "/info");
    assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(response.headers.get("x-nsq-content-type"), "nsq; version=1.0");
    assert.equal(await response.text(), `{"version":"1.3.0"}`);
  });
});

Deno.test("lookupd answers the captured requests", async () => {
  const captures: [request: string, answer: string][] = [
    ["GET /topics", `200 {"topics":[]}`],
    ["GET /nodes", `200 {"producers":[]}`],
    ["GET /debug", `200 {}`],
    ["GET /channels?topic=nope", `200 {"channels":[]}`],
    ["GET /channels?topic=*", `200 {"channels":[]}`],
    ["GET /channels", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["GET /lookup", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["GET /lookup?topic=", `404 {"message":"TOPIC_NOT_FOUND"}`],
    ["GET /lookup?topic=nope", `404 {"message":"TOPIC_NOT_FOUND"}`],
    ["GET /lookup?topic=%zz", `400 {"message":"INVALID_REQUEST"}`],
    ["GET /lookup?topic=a;b", `400 {"message":"INVALID_REQUEST"}`],
    ["POST /topic/create", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["POST /topic/create?topic=b%20", `400 {"message":"INVALID_ARG_TOPIC"}`],
    ["POST /topic/create?topic=", `400 {"message":"INVALID_ARG_TOPIC"}`],
    ["POST /topic/delete", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["POST /topic/delete?topic=nope", `200 `],
    ["POST /topic/delete?topic=b%20", `200 `],
    ["POST /topic/tombstone", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["POST /topic/tombstone?topic=x", `400 {"message":"MISSING_ARG_NODE"}`],
    ["POST /topic/tombstone?topic=x&node=y", `200 `],
    ["POST /channel/create?channel=c", `400 {"message":"MISSING_ARG_TOPIC"}`],
    ["POST /channel/create?topic=b%20&channel=c", `400 {"message":"INVALID_ARG_TOPIC"}`],
    ["POST /channel/create?topic=t", `400 {"message":"MISSING_ARG_CHANNEL"}`],
    ["POST /channel/create?topic=t&channel=b%20", `400 {"message":"INVALID_ARG_CHANNEL"}`],
    ["POST /channel/delete?topic=t", `400 {"message":"MISSING_ARG_CHANNEL"}`],
    ["POST /channel/delete?topic=t&channel=zz", `404 {"message":"CHANNEL_NOT_FOUND"}`],
    ["GET /", `404 {"message":"NOT_FOUND"}`],
    ["GET /nope", `404 {"message":"NOT_FOUND"}`],
    ["POST /topics", `405 {"message":"METHOD_NOT_ALLOWED"}`],
    ["GET /topic/create?topic=t", `405 {"message":"METHOD_NOT_ALLOWED"}`],
  ];
  await withLookupd(async (lookupd) => {
    for (const [request, answer] of captures) {
      const [method, path] = request.split(" ");
      assert.equal(await lookupd.ask(method, path), answer, request);
    }
  });
});

Deno.test("lookupd answers wrong methods with Allow, and HEAD is one", async () => {
  await withLookupd(async (lookupd) => {
    const post = await lookupd.fetch("POST", "/topics");
    assert.equal(post.headers.get("allow"), "GET, OPTIONS");
    assert.equal(post.headers.get("x-nsq-content-type"), "nsq; version=1.0");
    await post.body?.cancel();
    const get = await lookupd.fetch("GET", "/topic/create");
    assert.equal(get.headers.get("allow"), "OPTIONS, POST");
    await get.body?.cancel();
    assert.equal((await lookupd.fetch("HEAD", "/ping")).status, 405);
  });
});

Deno.test("lookupd creates and deletes topics and channels over HTTP", async () => {
  await withLookupd(async (lookupd) => {
    const created = await lookupd.fetch("POST", "/topic/create?topic=manual");
    assert.equal(created.status, 200);
    assert.equal(created.headers.get("content-length"), "0");
    assert.equal(created.headers.get("content-type"), null);
    assert.equal(created.headers.get("x-nsq-content-type"), "nsq; version=1.0");
    await created.body?.cancel();
    assert.equal(await lookupd.ask("GET", "/lookup?topic=manual"), `200 {"channels":[],"producers":[]}`);
    assert.equal(await lookupd.ask("POST", "/channel/create?topic=orders&channel=e%23ephemeral"), "200 ");
    assert.equal(await lookupd.ask("GET", "/topics"), `200 {"topics":["manual","orders"]}`);
    assert.equal(await lookupd.ask("GET", "/channels?topic=orders"), `200 {"channels":["e#ephemeral"]}`);
    assert.equal(await lookupd.ask("GET", "/debug"), "200 {}");
    assert.equal(await lookupd.ask("POST", "/channel/delete?topic=orders&channel=e%23ephemeral"), "200 ");
    assert.equal(await lookupd.ask("GET", "/channels?topic=orders"), `200 {"channels":[]}`);
    assert.equal(await lookupd.ask("POST", "/topic/delete?topic=*"), "200 ");
    assert.equal(await lookupd.ask("POST", "/topic/delete?topic=orders"), "200 ");
    assert.equal(await lookupd.ask("GET", "/topics"), `200 {"topics":["manual"]}`);
  });
});

Deno.test("lookupd shows in /lookup, /nodes and /debug what nodes registered", async () => {
  await withLookupd(async (lookupd) => {
    const a = await lookupd.node("nodeA", "orders billing", "logs");
    const node =
      `"remote_address":"${a.id}","hostname":"nodeA","broadcast_address":"nodeA","tcp_port":4150,` +
      `"http_port":4151,"version":"1.3.0","topology_zone":"az1","topology_region":"eu"`;
    assert.equal(
      await lookupd.ask("GET", "/lookup?topic=orders"),
      `200 {"channels":["billing"],"producers":[{${node}}]}`,
    );
    assert.equal(await lookupd.ask("POST", "/topic/tombstone?topic=orders&node=nodeA:4151"), "200 ");
    assert.equal(
      await lookupd.ask("GET", "/lookup?topic=orders"),
      `200 {"channels":["billing"],"producers":[]}`,
    );
    assert.equal(
      await lookupd.ask("GET", "/nodes"),
      `200 {"producers":[{${node},"tombstones":[true,false],"topics":["orders","logs"]}]}`,
    );
    const debug = await (await lookupd.fetch("GET", "/debug")).text();
    assert.deepEqual(Object.keys(JSON.parse(debug)), [
      "channel:orders:billing",
      "client::",
      "topic:logs:",
      "topic:orders:",
    ]);
    assert.match(debug, /"last_update":\d{19},/);
    a.close();
    await until(async () => await lookupd.ask("GET", "/nodes") === `200 {"producers":[]}`);
    assert.equal(
      await lookupd.ask("GET", "/lookup?topic=orders"),
      `200 {"channels":["billing"],"producers":[]}`,
    );
  });
});

Deno.test("GET /metrics is Prometheus text with the counts", async () => {
  await withLookupd(async (lookupd) => {
    const a = await lookupd.node("nodeA", "orders billing", "logs");
    const response = await lookupd.fetch("GET", "/metrics");
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const expected = [
      "topics 2",
      "channels 1",
      "registrations 2",
      "producers 1",
      "tcp_connections 1",
      "tcp_commands_total 4",
    ];
    for (const line of expected) assert.match(text, new RegExp(`^nsqlookupd_${line}$`, "m"));
    assert.match(text, /^nsqlookupd_http_requests_total \d+$/m);
    assert.match(text, /^nsqlookupd_event_loop_delay_seconds_bucket\{le="\+Inf"\} \d+$/m);
    for (const line of text.trimEnd().split("\n")) {
      assert.match(line, /^(# (HELP|TYPE) nsqlookupd_\w+ .+|nsqlookupd_\w+(\{[^}]*\})? [\d.e+-]+)$/);
    }
    a.close();
  });
});

Deno.test("runLookupd() logs its version and where it listens, and that it closes", async () => {
  const lines: string[] = [];
  let ports = { tcpPort: 0, httpPort: 0 };
  await withLookupd((lookupd) => Promise.resolve(void (ports = lookupd)), {}, lines);
  const log = lines.join("\n");
  assert.match(log, /INFO: nsqlookupd v1\.3\.0/);
  assert.match(log, new RegExp(`INFO: TCP: listening on 127\\.0\\.0\\.1:${ports.tcpPort}`));
  assert.match(log, new RegExp(`INFO: HTTP: listening on 127\\.0\\.0\\.1:${ports.httpPort}`));
  assert.match(log, /TCP: closing[^]*HTTP: closing/);
});

Deno.test("runLookupd() rejects with StartupError when an address is taken or the data path missing", async () => {
  await withLookupd(async (lookupd) => {
    const taken: Partial<LookupdOptions>[] = [
      { tcpAddress: `127.0.0.1:${lookupd.tcpPort}` },
      { httpAddress: `127.0.0.1:${lookupd.httpPort}` },
      { tcpAddress: "/no/such/directory/lookupd.sock" },
      { httpAddress: "/no/such/directory/lookupd.sock" },
      { dataPath: "/no/such/directory" },
    ];
    for (const options of taken) {
      await assert.rejects(runLookupd({ ...OPTIONS, ...options }, silentLogger()), StartupError);
    }
  });
});

Deno.test("/lookup is compressed for those who take gzip, when it is large", async () => {
  await withLookupd(async (lookupd) => {
    const nodes: V1Client[] = [];
    for (let i = 0; i < 400; i++) nodes.push(await lookupd.node(`node${i}`, "orders"));
    const encodingOf = async (acceptEncoding: string) => {
      const response = await fetch(`http://127.0.0.1:${lookupd.httpPort}/lookup?topic=orders`, {
        headers: { "Accept-Encoding": acceptEncoding },
      });
      const { producers } = await response.json();
      assert.equal(producers.length, 400);
      return response.headers.get("vary");
    };
    // fetch() hides the encoding that it undoes, but not what the answer varies by.
    await until(async () => await encodingOf("gzip") === "Accept-Encoding");
    assert.equal(await encodingOf("br, gzip;q=0.5"), "Accept-Encoding");
    assert.equal(await encodingOf("identity"), null);
    assert.equal(await encodingOf("gzip;q=0, identity"), null);
    for (const node of nodes) node.close();
  });
});

Deno.test("a client that closes its sending side behind its request is answered by lookupd too", async () => {
  await withLookupd(async ({ httpPort }) => {
    const ping = await sendHalfClosed(httpPort, "GET /ping");
    assert.equal(ping.body, "OK");
    assert.equal(header(ping, "content-type"), "text/plain; charset=utf-8");
    assert.equal((await sendHalfClosed(httpPort, "POST /topic/create?topic=t")).status, 200);
    assert.equal(
      (await sendHalfClosed(httpPort, "GET /lookup?topic=t")).body,
      '{"channels":[],"producers":[]}',
    );
    assert.equal(
      (await sendHalfClosed(httpPort, "POST /topic/delete?topic=t", "x".repeat(70_000))).status,
      200,
    );
  });
});
