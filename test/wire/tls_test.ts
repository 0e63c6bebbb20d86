/** What TLS shows of this node, whom it lets in, and how it says no. */
import assert from "node:assert/strict";
import { connect, type ConnectionOptions } from "node:tls";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { until } from "./observe.ts";
import { negotiate, openUpgraded, pem, pemPath, startTls, TLS_FLAGS } from "./upgrade_client.ts";
import { bytes, type Stream, WireClient, withBody } from "./wire_client.ts";

const VERIFY = ["--tls-client-auth-policy=require-verify", `--tls-root-ca-file=${pemPath("ca")}`];

/** What the server shows at a handshake over HTTPS: its certificates, as their subjects. */
async function shownChain(server: TestNsqd): Promise<string[]> {
  const { httpsAddress } = server.nsqd, port = Number(httpsAddress.slice(httpsAddress.lastIndexOf(":") + 1));
  const identity = { cert: pem("client"), key: pem("client_key") };
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...identity });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", () => resolve());
    socket.once("error", reject);
  });
  const subjects: string[] = [];
  let shown = socket.getPeerCertificate(true);
  while (shown?.raw !== undefined && subjects.length < 10) {
    subjects.push(String(shown.subject.CN));
    if (shown.issuerCertificate === shown) break;
    shown = shown.issuerCertificate;
  }
  socket.destroy();
  return subjects;
}

Deno.test("nsqd shows the certificates of its certificate file and no others, whoever it takes clients from", async () => {
  const directory = Deno.makeTempDirSync(), chainFile = `${directory}/chain.pem`;
  try {
    Deno.writeTextFileSync(chainFile, pem("server") + pem("middle"));
    const table: [string[], string[]][] = [
      [[], ["localhost"]],
      [["--tls-client-auth-policy=require-verify"], ["localhost"]],
      [VERIFY, ["localhost"]],
      [[...VERIFY, `--tls-cert=${chainFile}`], ["localhost", "authority in the middle"]],
    ];
    for (const [flags, subjects] of table) {
      await using server = await startNsqd([...TLS_FLAGS, ...flags]);
      // A client that is refused later has seen them, too.
      assert.deepEqual(await shownChain(server), subjects, flags.join(" "));
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("nsqd takes certificate and key from one file", async () => {
  const directory = Deno.makeTempDirSync(), file = `${directory}/both.pem`;
  try {
    Deno.writeTextFileSync(file, pem("server_key") + pem("server"));
    await using server = await startNsqd([...TLS_FLAGS, `--tls-cert=${file}`, `--tls-key=${file}`]);
    using client = await openUpgraded(server.tcpPort, { tls_v1: true });
    assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

/** The identity of a client: its certificate, those of authorities behind it, and its key. */
function identity(name: string, ...authorities: string[]): ConnectionOptions {
  return { cert: [name, ...authorities].map(pem).join(""), key: pem(`${name}_key`) };
}

/** The answer to a publish over TLS, or why the server did not take the client. */
async function outcome(server: TestNsqd, options: ConnectionOptions): Promise<string> {
  const before = server.lines.length;
  const refused = /IDENTIFY failed (.*)/;
  using client = await WireClient.open(server.tcpPort);
  await negotiate(client, { tls_v1: true });
  try {
    await client.change((conn) => startTls(conn, options));
    assert.equal(await client.answer(), "response OK");
    return await client.ask(withBody("PUB t", "x"));
  } catch {
    const refusal = () => server.lines.slice(before).find((line) => refused.test(line));
    await until("the refusal", () => refusal() !== undefined);
    return refused.exec(refusal()!)![1].trimEnd();
  }
}

Deno.test("nsqd takes the certificates of clients that lead to a root, of X.509 v1 too, and says why not others", async () => {
  await using server = await startNsqd([...TLS_FLAGS, ...VERIFY]);
  assert.equal(await outcome(server, identity("client")), "response OK");
  assert.equal(await outcome(server, identity("old")), "response OK");
  assert.equal(await outcome(server, identity("far", "middle")), "response OK");
  const unknown = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  assert.equal(await outcome(server, identity("far")), unknown);
  assert.equal(await outcome(server, identity("stranger")), unknown);
  assert.equal(await outcome(server, {}), "tls: client didn't provide a certificate");
});

Deno.test("nsqd takes any certificate, of X.509 v1 too, with --tls-client-auth-policy=require", async () => {
  await using server = await startNsqd([...TLS_FLAGS, "--tls-client-auth-policy=require"]);
  assert.equal(await outcome(server, identity("old")), "response OK");
  assert.equal(await outcome(server, identity("stranger")), "response OK");
});

Deno.test("nsqd ends TLS with an alert before the frame that says why it failed", async () => {
  await using server = await startNsqd([...TLS_FLAGS, "--tls-min-version=tls1.3"]);
  using client = await WireClient.open(server.tcpPort);
  await negotiate(client, { tls_v1: true });
  const received: number[] = [];
  let raw!: Stream;
  await client.change((conn) => raw = conn);
  const recorded: Stream = {
    async read(into) {
      const byteCount = await raw.read(into);
      received.push(...into.subarray(0, byteCount ?? 0));
      return byteCount;
    },
    write: (data) => raw.write(data),
    closeWrite: () => raw.closeWrite(),
    close() {},
  };
  await assert.rejects(startTls(recorded, { maxVersion: "TLSv1.2" }));
  await until("the frame", () => received.length >= 16);
  // protocol_version, fatal; then the frame.
  assert.deepEqual(received.slice(0, 7), [21, 3, 1, 0, 2, 2, 70]);
  const text = new TextDecoder().decode(bytes(Uint8Array.from(received.slice(15))));
  assert.match(text, /^E_IDENTIFY_FAILED IDENTIFY failed /);
});
