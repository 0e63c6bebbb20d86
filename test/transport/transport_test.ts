/** The layers of a connection by themselves: what they take from below, and when they give up. */
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { DeflateTransport } from "../../src/transport/deflate_transport.ts";
import { PrefixedTransport, type Transport } from "../../src/transport/transport.ts";
import { Upgrade, type UpgradeOwner } from "../../src/nsqd/tcp/upgrade.ts";
import { pem } from "../wire/upgrade_client.ts";

/** Gives what it was made with, and then waits for ever. */
class FakeTransport implements Transport {
  taken = 0;
  written = 0;
  closed = false;
  /** Writes wait while this is set. */
  stalled = false;
  readonly #source: Uint8Array;

  constructor(source: Uint8Array = new Uint8Array(0)) {
    this.#source = source;
  }

  read(into: Uint8Array): Promise<number | null> {
    const piece = this.#source.subarray(this.taken, this.taken + into.length);
    if (piece.length === 0) return new Promise(() => {});
    into.set(piece);
    this.taken += piece.length;
    return Promise.resolve(piece.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.stalled) return new Promise(() => {});
    this.written += bytes.length;
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }
}

/** Lets everything run that can without waiting for more bytes. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("DeflateTransport takes no more from below than its reader has use for", async () => {
  const bomb = deflateRawSync(new Uint8Array(200 << 20), { level: 9 });
  const below = new FakeTransport(bomb);
  const transport = new DeflateTransport(below, 6);
  assert.equal(await transport.read(new Uint8Array(1)), 1);
  await settled();
  assert.ok(below.taken < 20_000, `${below.taken} of ${bomb.length} bytes taken`);
  const inflated = below.taken * 1030;
  const into = new Uint8Array(1 << 20);
  let read = 0;
  while (read < 4 << 20) read += (await transport.read(into))!;
  await settled();
  assert.ok(below.taken < 40_000, `${below.taken} of ${bomb.length} bytes taken, ${inflated} inflated`);
  transport.close();
  assert.ok(below.closed);
});

Deno.test("DeflateTransport.write() waits for the layer below", async () => {
  const below = new FakeTransport();
  const transport = new DeflateTransport(below, 1);
  assert.equal(await transport.write(new Uint8Array(10)), 10);
  below.stalled = true;
  let isDone = false;
  transport.write(new Uint8Array(10)).then(() => isDone = true);
  await settled();
  assert.equal(isDone, false);
  transport.close();
});

Deno.test("PrefixedTransport.read() gives what was read before, in pieces, and then goes on below", async () => {
  const transport = new PrefixedTransport(new FakeTransport(Uint8Array.of(4)), Uint8Array.of(1, 2, 3));
  const into = new Uint8Array(2), all: number[] = [];
  while (all.length < 4) all.push(...into.subarray(0, (await transport.read(into))!));
  assert.deepEqual(all, [1, 2, 3, 4]);
});

Deno.test("Upgrade.timedOut() ends a handshake that does not come, with its cause", async () => {
  const below = new FakeTransport(), cause = new Error("read tcp a->b: i/o timeout");
  let limitMs = 0, changes = 0;
  const failed = Promise.withResolvers<Error>();
  const begun = Promise.withResolvers<void>();
  const owner: UpgradeOwner = {
    output: { written: () => Promise.resolve() },
    input: { takeUnread: () => new Uint8Array(0) },
    endsWithin(ms) {
      limitMs = ms;
      begun.resolve();
    },
    changeTransport: () => changes++,
    upgraded: () => changes++,
    upgradeFailed: (error) => failed.resolve(error),
  };
  const upgrade = new Upgrade(owner, below);
  const none = { tlsV1: false, deflate: false, snappy: false };
  const server = { cert: pem("server"), key: pem("server_key"), minVersion: "TLSv1.2" } as const;
  upgrade.start(none, { ...none, tlsV1: true, deflateLevel: 6 }, {
    server: { ...server, requestCert: false, rejectUnauthorized: false },
    required: "no",
    clientCertificate: "none",
    clientRoots: [],
  });
  await begun.promise;
  assert.equal(limitMs, 5000);
  await settled();
  upgrade.timedOut(cause);
  assert.equal(await failed.promise, cause);
  assert.equal(changes, 0);
});
