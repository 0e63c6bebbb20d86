import assert from "node:assert/strict";
import { get, header, post } from "../../http/raw_http.ts";
import { RunningBroker } from "../../support/running_broker.ts";

const ENCODER = new TextEncoder(), DECODER = new TextDecoder();
const MESSAGE_FRAME = 2;
/** Timestamp and attempts; the id follows. */
const ID_OFFSET = 10, ID_LENGTH = 16;

/** A client of the TCP protocol: sends commands and reads the frames one by one. */
class Client implements Disposable {
  readonly #conn: Deno.TcpConn;
  #unread: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number): Promise<Client> {
    const client = new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
    await client.send("  V2");
    return client;
  }

  get address(): string {
    const { hostname, port } = this.#conn.localAddr;
    return `${hostname}:${port}`;
  }

  async send(text: string, body?: string): Promise<void> {
    const head = ENCODER.encode(text);
    const bytes = new Uint8Array(head.length + (body === undefined ? 0 : 4 + body.length));
    bytes.set(head);
    if (body !== undefined) {
      new DataView(bytes.buffer).setInt32(head.length, body.length);
      bytes.set(ENCODER.encode(body), head.length + 4);
    }
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** The next frame: its type and data. */
  async frame(): Promise<{ type: number; data: Uint8Array }> {
    const view = new DataView((await this.#take(8)).buffer);
    return { type: view.getInt32(4), data: await this.#take(view.getInt32(0) - 4) };
  }

  /** Sends a command and expects OK. */
  async ask(text: string, body?: string): Promise<void> {
    await this.send(text, body);
    assert.equal(DECODER.decode((await this.frame()).data), "OK");
  }

  async messageId(): Promise<string> {
    const { type, data } = await this.frame();
    assert.equal(type, MESSAGE_FRAME);
    return DECODER.decode(data.subarray(ID_OFFSET, ID_OFFSET + ID_LENGTH));
  }

  async #take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const chunk = new Uint8Array(4096);
    while (this.#unread.length < length) {
      const count = await this.#conn.read(chunk);
      assert.notEqual(count, null, "the broker closed the connection");
      const joined = new Uint8Array(this.#unread.length + count!);
      joined.set(this.#unread);
      joined.set(chunk.subarray(0, count!), this.#unread.length);
      this.#unread = joined;
    }
    const taken = this.#unread.slice(0, length);
    this.#unread = this.#unread.slice(length);
    return taken;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

// deno-lint-ignore no-explicit-any
async function stats(running: RunningBroker, parameters = ""): Promise<any> {
  return JSON.parse((await get(running.http.port, `/stats?format=json&include_mem=0${parameters}`)).body);
}

/** Asks until `condition` holds: counts follow what a client sent, but nothing tells when. */
async function eventually(running: RunningBroker, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, "the broker did not get there in 5 s");
    await get(running.http.port, "/ping");
  }
}

async function identify(client: Client, name: string, agent: string): Promise<void> {
  const fields = { client_id: name, hostname: `${name}.example`, user_agent: agent };
  await client.ask("IDENTIFY\n", JSON.stringify(fields));
}

/**
 * Topic `orders` with 6 messages and a deferred one from one producer; a consumer of `billing` with RDY 3 has
 * finished one, requeued one for 50 s, and holds 3. Topic `empty` has a paused channel `c1`.
 */
async function playOrders(running: RunningBroker): Promise<{ producer: Client; consumer: Client }> {
  const { port } = running.http;
  await post(port, "/topic/create?topic=orders");
  await post(port, "/channel/create?topic=orders&channel=billing");
  await post(port, "/topic/create?topic=empty");
  await post(port, "/channel/create?topic=empty&channel=c1");
  await post(port, "/channel/pause?topic=empty&channel=c1");
  const producer = await Client.connect(running.tcpPort), consumer = await Client.connect(running.tcpPort);
  await identify(producer, "prod-1", "demo-producer/0.1");
  for (let i = 0; i < 6; i++) await producer.ask("PUB orders\n", "message");
  await producer.ask("DPUB orders 60000\n", "deferred message!");
  await identify(consumer, "cons-1", "demo-consumer/0.1");
  await consumer.ask("SUB orders billing\n");
  await consumer.send("RDY 3\n");
  await consumer.send(`FIN ${await consumer.messageId()}\n`);
  await consumer.send(`REQ ${await consumer.messageId()} 50000\n`);
  const channel = running.broker.topics.get("orders")!.channels.get("billing")!;
  await eventually(
    running,
    () => channel.inFlightCount === 3 && channel.requeueCount === 1 && channel.depth === 1,
  );
  return { producer, consumer };
}

Deno.test("GET /stats?format=json has the shape and key order of the captured answer", async () => {
  await using running = new RunningBroker();
  const { producer, consumer } = await playOrders(running);
  using _producer = producer, _consumer = consumer;
  const answer = await get(running.http.port, "/stats?format=json");
  assert.equal(header(answer, "content-type"), "application/json; charset=utf-8");
  const text = answer.body.replace(/"memory":\{[^}]*\}/, `"memory":{}`).replace(
    /"connect_ts":\d+/g,
    `"connect_ts":1`,
  );
  const latency = `"e2e_processing_latency":{"count":0,"percentiles":null}`;
  const tls = `"tls":false,"tls_cipher_suite":"","tls_version":"","tls_negotiated_protocol":"",` +
    `"tls_negotiated_protocol_is_mutual":false`;
  assert.equal(
    text,
    `{"version":"1.3.0","health":"OK","start_time":${Math.floor(running.startedAtMs / 1000)},"topics":[` +
      `{"topic_name":"empty","channels":[{"channel_name":"c1","depth":0,"backend_depth":0,"in_flight_count":0,` +
      `"deferred_count":0,"message_count":0,"requeue_count":0,"timeout_count":0,"client_count":0,"clients":[],` +
      `"paused":true,${latency}}],"depth":0,"backend_depth":0,"message_count":0,"message_bytes":0,` +
      `"paused":false,${latency}},` +
      `{"topic_name":"orders","channels":[{"channel_name":"billing","depth":1,"backend_depth":0,` +
      `"in_flight_count":3,"deferred_count":2,"message_count":7,"global_msg_count":5,"requeue_count":1,` +
      `"timeout_count":0,"client_count":1,"clients":[{"client_id":"cons-1","hostname":"cons-1.example",` +
      `"version":"V2","remote_address":"${consumer.address}","state":3,"ready_count":3,"in_flight_count":3,` +
      `"message_count":5,"finish_count":1,"requeue_count":1,"connect_ts":1,"sample_rate":0,"deflate":false,` +
      `"snappy":false,"user_agent":"demo-consumer/0.1","topology_zone":"","topology_region":"",${tls}}],` +
      `"paused":false,${latency}}],"depth":0,"backend_depth":0,"message_count":7,"message_bytes":59,` +
      `"paused":false,${latency}}],"memory":{},"producers":[{"client_id":"prod-1",` +
      `"hostname":"prod-1.example","version":"V2","remote_address":"${producer.address}","state":0,` +
      `"ready_count":0,"in_flight_count":0,"message_count":0,"finish_count":0,"requeue_count":0,` +
      `"connect_ts":1,"sample_rate":0,"deflate":false,"snappy":false,"user_agent":"demo-producer/0.1",` +
      `"topology_zone":"","topology_region":"","pub_counts":[{"topic":"orders","count":7}],${tls}}]}`,
  );
});

Deno.test("GET /stats shows nine figures of memory, in order, as whole numbers", async () => {
  await using running = new RunningBroker();
  const { memory } = JSON.parse((await get(running.http.port, "/stats?format=json")).body);
  assert.deepEqual(Object.keys(memory), [
    "heap_objects",
    "heap_idle_bytes",
    "heap_in_use_bytes",
    "heap_released_bytes",
    "gc_pause_usec_100",
    "gc_pause_usec_99",
    "gc_pause_usec_95",
    "next_gc_bytes",
    "gc_total_runs",
  ]);
  for (const [name, value] of Object.entries(memory)) {
    assert.ok(Number.isInteger(value) && Number(value) >= 0, name);
  }
  assert.ok(memory.heap_in_use_bytes > 0);
});

Deno.test("GET /stats has the empty shapes of the captured answers", async () => {
  await using running = new RunningBroker();
  const startTime = Math.floor(running.startedAtMs / 1000);
  assert.equal(
    (await get(running.http.port, "/stats?format=json&include_mem=false")).body,
    `{"version":"1.3.0","health":"OK","start_time":${startTime},"topics":[],"producers":null}`,
  );
  const { producer, consumer } = await playOrders(running);
  using _producer = producer, _consumer = consumer;
  const unknown = await stats(running, "&topic=none");
  assert.deepEqual([unknown.topics, unknown.producers], [null, null]);
  const noChannel = await stats(running, "&topic=orders&channel=none");
  assert.deepEqual([noChannel.topics, noChannel.producers.length], [[], 1]);
  const noClients = await stats(running, "&include_clients=false");
  assert.equal(noClients.topics[1].channels[0].clients, null);
  assert.equal(noClients.topics[1].channels[0].client_count, 1);
  assert.equal(noClients.producers, null);
  assert.equal((await get(running.http.port, "/stats?topic=a;b")).body, `{"message":"INVALID_REQUEST"}`);
});

Deno.test("GET /stats filters by topic and channel", async () => {
  await using running = new RunningBroker();
  const { producer, consumer } = await playOrders(running);
  using _producer = producer, _consumer = consumer;
  await post(running.http.port, "/channel/create?topic=orders&channel=audit");
  await producer.ask("PUB empty\n", "m");
  const names = (answer: { topics: { topic_name: string; channels: { channel_name: string }[] }[] }) =>
    answer.topics.map((
      topic,
    ) => [topic.topic_name, ...topic.channels.map((channel) => channel.channel_name)]);
  assert.deepEqual(names(await stats(running)), [["empty", "c1"], ["orders", "audit", "billing"]]);
  assert.deepEqual(names(await stats(running, "&topic=orders")), [["orders", "audit", "billing"]]);
  assert.deepEqual(names(await stats(running, "&channel=billing")), [["orders", "billing"]]);
  assert.deepEqual(names(await stats(running, "&topic=orders&channel=audit")), [["orders", "audit"]]);
  const counts = async (parameters: string) => (await stats(running, parameters)).producers[0].pub_counts;
  assert.deepEqual(
    await counts(""),
    [{ topic: "orders", count: 7 }],
    "one entry, though it published to two topics",
  );
  assert.deepEqual(await counts("&topic=empty"), [{ topic: "empty", count: 1 }]);
  await post(running.http.port, "/topic/create?topic=other");
  assert.equal(await counts("&topic=other"), undefined, "it stays, without counts");
});

Deno.test("GET /stats follows a client from connecting to CLS, and forgets it when it goes", async () => {
  await using running = new RunningBroker();
  const { producer, consumer } = await playOrders(running);
  using _producer = producer;
  const client = async () => (await stats(running)).topics[1].channels[0].clients[0];
  assert.equal((await client()).state, 3);
  await consumer.send("CLS\n");
  await eventually(running, () => [...running.tcp.connections].some(({ state }) => state === "closing"));
  const closing = await client();
  assert.deepEqual([closing.state, closing.ready_count, closing.in_flight_count], [4, 0, 3]);
  consumer[Symbol.dispose]();
  await eventually(running, () => running.tcp.connections.size === 1);
  const channel = (await stats(running)).topics[1].channels[0];
  assert.deepEqual([channel.client_count, channel.clients, channel.in_flight_count, channel.depth], [
    0,
    [],
    0,
    4,
  ]);
  assert.equal(channel.global_msg_count, 5, "deliveries to clients that left count");
});

Deno.test("GET /stats counts a connection that publishes and consumes in both places", async () => {
  await using running = new RunningBroker();
  using client = await Client.connect(running.tcpPort);
  await client.ask("PUB t\n", "m");
  await client.ask("SUB t c\n");
  const { topics, producers } = await stats(running);
  const [consumer] = topics[0].channels[0].clients;
  assert.equal(consumer.client_id, "127.0.0.1");
  assert.deepEqual(consumer, producers[0]);
  assert.deepEqual(consumer.pub_counts, [{ topic: "t", count: 1 }]);
});

Deno.test("GET /stats counts as backend depth what is beyond --mem-queue-size, which is all at 0", async () => {
  for (const [memQueueSize, beyond] of [[4, 2], [6, 0], [0, 6]]) {
    await using running = new RunningBroker({ memQueueSize });
    const { port } = running.http;
    const publish = () => post(port, "/mpub?topic=t", "a\nb\nc\nd\ne\nf");
    await publish();
    const depths = (
      { depth, backend_depth }: { depth: number; backend_depth: number },
    ) => [depth, backend_depth];
    assert.deepEqual(depths((await stats(running)).topics[0]), [6, beyond]);
    const text = async () => (await get(port, "/stats")).body.replaceAll(/ +/g, " ");
    assert.match(await text(), new RegExp(`\\[t \\] depth: 6 be-depth: ${beyond} `));
    await post(port, "/channel/create?topic=t&channel=c");
    const [topic] = (await stats(running)).topics;
    assert.deepEqual([topic.depth, topic.backend_depth], [0, 0]);
    assert.deepEqual(depths(topic.channels[0]), [6, beyond]);
    assert.match(await text(), new RegExp(`\\[c \\] depth: 6 be-depth: ${beyond} `));
    assert.match((await get(port, "/metrics")).body, new RegExp(`channel_backend_depth{[^}]*} ${beyond}\n`));
  }
});

Deno.test("GET /stats counts no backend depth for what is ephemeral", async () => {
  await using running = new RunningBroker({ memQueueSize: 1 });
  const { port } = running.http;
  await post(port, "/pub?topic=e%23ephemeral", "a");
  const [topic] = (await stats(running)).topics;
  assert.deepEqual([topic.depth, topic.backend_depth], [1, 0]);
});

Deno.test("GET /stats in text has the layout of the captured answer", async () => {
  await using running = new RunningBroker();
  const { producer, consumer } = await playOrders(running);
  using _producer = producer, _consumer = consumer;
  await post(running.http.port, "/topic/pause?topic=empty");
  const answer = await get(running.http.port, "/stats?format=JSON&include_mem=false");
  assert.equal(header(answer, "content-type"), "text/plain; charset=utf-8");
  const text = answer.body.replace(/^(start_time|uptime) .*$/gm, "$1 ...").replace(
    /connected: \ds/g,
    "connected: 1s",
  );
  const port = ({ address }: Client) => address.split(":")[1];
  assert.equal(
    text,
    `nsqd v1.3.0 (built w/deno${Deno.version.deno})
start_time ...
uptime ...

Health: OK

Topics:
*P [empty          ] depth: 0     be-depth: 0     msgs: 0        e2e%: ${""}
   *P [c1                       ] depth: 0     be-depth: 0     inflt: 0    def: 0    re-q: 0     timeout: 0     msgs: 0        e2e%: ${""}

   [orders         ] depth: 0     be-depth: 0     msgs: 7        e2e%: ${""}
      [billing                  ] depth: 1     be-depth: 0     inflt: 3    def: 2    re-q: 1     timeout: 0     msgs: 7        e2e%: ${""}
        [V2 cons-1.example:${
      port(consumer)
    } demo-consumer/0.1] state: 3 inflt: 3    rdy: 3    fin: 1        re-q: 1        msgs: 5        connected: 1s

Producers:
   [V2 prod-1.example:${port(producer)} demo-producer/0.1] msgs: 7        topics: orders=7 connected: 1s
`,
  );
});

Deno.test("GET /stats in text shows memory, and None where there is nothing", async () => {
  await using running = new RunningBroker();
  const { body } = await get(running.http.port, "/stats");
  assert.match(
    body,
    /^Health: OK\n\nMemory:\n {3}heap_objects {13}\t\d+\n( {3}\w+ +\t\d+\n){8}\nTopics: None\n\nProducers: None\n$/m,
  );
  assert.match(body, /^start_time \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/m);
  assert.match(body, /^uptime [\d.]+(ms|s)$/m);
});
