/** What every official client has to get through with our nsqd and lookupd; each client runs all of it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { ProgramProcess, until } from "../support/program_process.ts";
import { type BuiltClient, ClientProgram, type ClientSettings } from "./client_program.ts";

const LOOPBACK = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
const CERTIFICATES = fileURLToPath(new URL("../support/certificates/", import.meta.url));

/** An nsqd as a process, with its data path. */
class Node implements AsyncDisposable {
  readonly program: ProgramProcess;
  readonly #directory: string;

  private constructor(program: ProgramProcess, directory: string) {
    this.program = program;
    this.#directory = directory;
  }

  static async start(flags: readonly string[]): Promise<Node> {
    const directory = await Deno.makeTempDir({ prefix: "nsqd-interop-" });
    const all = [...LOOPBACK, `--data-path=${directory}`, "--broadcast-address=127.0.0.1", ...flags];
    return new Node(await ProgramProcess.start({ command: "nsqd", flags: all }), directory);
  }

  get tcp(): string {
    return this.program.address("nsqd", "TCP");
  }

  async stats(topic: string): Promise<Record<string, unknown>[]> {
    const address = this.program.address("nsqd", "HTTP");
    const response = await fetch(`http://${address}/stats?format=json&topic=${topic}`);
    return (await response.json()).topics[0].channels;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Registers the tests of one client; all are ignored when it could not be built. */
export function testClient(name: string, client: BuiltClient): void {
  const test = (what: string, run: (start: (settings: ClientSettings) => ClientProgram) => Promise<void>) => {
    Deno.test({
      name: `${name} ${what}`,
      ignore: "reason" in client,
      fn: () =>
        run((settings) => new ClientProgram(client as Exclude<BuiltClient, { reason: string }>, settings)),
    });
  };

  test("publishes one, many and deferred messages, and consumes them", async (start) => {
    await using node = await Node.start([]);
    await using program = start({ nsqd: node.tcp });
    assert.equal(await program.publish("t", ["one"]), null);
    assert.equal(await program.publish("t", ["two", "three", "four"]), null);
    const publishedAtMs = performance.now();
    assert.equal(await program.publish("t", ["later"], { delay_ms: 400 }), null);
    await program.consume("t", "c", { max_in_flight: 10 });
    await program.until("four messages", () => program.of("finished").length === 4);
    const bodies = () => program.of("message").map(({ body, attempts }) => `${body}/${attempts}`).sort();
    assert.deepEqual(bodies(), ["four/1", "one/1", "three/1", "two/1"]);
    await program.until("the deferred message", () => program.of("finished").length === 5);
    assert.ok(performance.now() - publishedAtMs >= 400, "the deferred message came early");
    assert.equal(program.of("message")[4].body, "later");
    await drained(node, "t");
  });

  test("requeues with a delay and touches, and each attempt is counted", async (start) => {
    await using node = await Node.start([]);
    await using program = start({ nsqd: node.tcp });
    const bodies = ["requeue 3 150 ms", "requeue 2 0 ms", "touch 5 times"];
    assert.equal(await program.publish("t", bodies), null);
    await program.consume("t", "c", { max_in_flight: 10, msg_timeout_ms: 1000 });
    await program.until("three messages", () => program.of("finished").length === 3);
    const attempts = (body: string) =>
      program.of("message").filter((event) => event.body === body).map((event) => event.attempts);
    assert.deepEqual(bodies.map(attempts), [[1, 2, 3], [1, 2], [1]]);
    await drained(node, "t");
    const [channel] = await node.stats("t");
    assert.deepEqual([channel.requeue_count, channel.timeout_count], [3, 0]);
  });

  test("finds nsqd through lookupd", async (start) => {
    await using lookupd = await ProgramProcess.start({ command: "lookupd", flags: LOOPBACK });
    await using node = await Node.start([`--lookupd-tcp-address=${lookupd.address("nsqlookupd", "TCP")}`]);
    await using program = start({ nsqd: node.tcp, lookupd: lookupd.address("nsqlookupd", "HTTP") });
    assert.equal(await program.publish("found", ["hello"]), null);
    await until("the registration", async () => {
      const response = await fetch(`http://${lookupd.address("nsqlookupd", "HTTP")}/topics`);
      return (await response.json()).topics.includes("found");
    });
    await program.consume("found", "c");
    await program.until("the message", () => program.of("finished").length === 1);
    assert.equal(program.of("message")[0].body, "hello");
  });

  test("publishes and consumes over TLS, deflate, snappy, and TLS with either", async (start) => {
    await using node = await Node.start([
      `--tls-cert=${CERTIFICATES}server.pem`,
      `--tls-key=${CERTIFICATES}server_key.pem`,
    ]);
    for (const { tls, deflate, snappy } of UPGRADES) {
      const topic = `upgraded.${tls}.${deflate}.${snappy}`;
      const settings = {
        nsqd: node.tcp,
        deflate,
        snappy,
        ...(tls ? { tls_ca: `${CERTIFICATES}ca.pem` } : {}),
      };
      await using program = start(settings);
      await exchange(program, topic);
      const [channel] = await node.stats(topic);
      const [consumer] = channel.clients as Record<string, unknown>[];
      assert.deepEqual([consumer.tls, consumer.deflate, consumer.snappy], [tls, deflate, snappy], topic);
      await drained(node, topic);
    }
  });

  test("shows its certificate where nsqd wants one that it can verify", async (start) => {
    await using node = await Node.start([
      `--tls-cert=${CERTIFICATES}server.pem`,
      `--tls-key=${CERTIFICATES}server_key.pem`,
      `--tls-root-ca-file=${CERTIFICATES}ca.pem`,
      "--tls-client-auth-policy=require-verify",
    ]);
    const certified = (name: string): ClientSettings => ({
      nsqd: node.tcp,
      tls_ca: `${CERTIFICATES}ca.pem`,
      tls_cert: `${CERTIFICATES}${name}.pem`,
      tls_key: `${CERTIFICATES}${name}_key.pem`,
    });
    await using known = start(certified("client"));
    assert.equal(await known.publish("t", ["hello"]), null);
    await using stranger = start(certified("stranger"));
    assert.notEqual(await stranger.publish("t", ["hello"]), null);
  });

  test("authenticates, and may do what the auth server allows", async (start) => {
    const asked: string[] = [];
    await using authServer = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const secret = new URL(request.url).searchParams.get("secret");
      asked.push(`${secret}`);
      const permissions = secret === "may do all" ? ["publish", "subscribe"] : ["subscribe"];
      return Response.json({
        ttl: 60,
        identity: "tester",
        identity_url: "",
        authorizations: [{ topic: "^t$", channels: [".*"], permissions }],
      });
    });
    await using node = await Node.start([`--auth-http-address=127.0.0.1:${authServer.addr.port}`]);
    await using allowed = start({ nsqd: node.tcp, auth: "may do all" });
    await exchange(allowed, "t");
    await using limited = start({ nsqd: node.tcp, auth: "may subscribe" });
    assert.match(`${await limited.publish("t", ["no"])}`, /E_UNAUTHORIZED/);
    assert.deepEqual([...new Set(asked)], ["may do all", "may subscribe"]);
  });
}

const UPGRADES = [
  { tls: true, deflate: false, snappy: false },
  { tls: false, deflate: true, snappy: false },
  { tls: false, deflate: false, snappy: true },
  { tls: true, deflate: true, snappy: false },
  { tls: true, deflate: false, snappy: true },
];

/** Bodies that compress well, that are longer than a TLS record or a snappy chunk, and many at once. */
async function exchange(program: ClientProgram, topic: string): Promise<void> {
  const long = "0123456789abcdef",
    repeat = 12_000,
    many = Array.from({ length: 200 }, (_, i) => `message ${i}`);
  assert.equal(await program.publish(topic, ["short"]), null);
  assert.equal(await program.publish(topic, [long], { repeat }), null);
  assert.equal(await program.publish(topic, many), null);
  await program.consume(topic, "c", { max_in_flight: 50 });
  await program.until("all messages", () => program.of("finished").length === many.length + 2);
  const received = program.of("message").map(({ length, sum }) => `${length} ${sum}`).sort();
  const sent = ["short", long.repeat(repeat), ...many].map((body) => `${body.length} ${crc32(body)}`).sort();
  assert.deepEqual(received, sent, topic);
}

/** Waits until nothing of the topic's only channel is left: the last FIN may be on its way still. */
async function drained(node: Node, topic: string): Promise<void> {
  await until("a drained channel", async () => {
    const [channel] = await node.stats(topic);
    return channel.depth === 0 && channel.in_flight_count === 0 && channel.deferred_count === 0;
  });
}
