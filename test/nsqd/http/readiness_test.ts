/** GET /ready: from the moment that the listeners open to the end. */
import assert from "node:assert/strict";
import { HttpError } from "../../../src/http/errors.ts";
import { Readiness } from "../../../src/nsqd/http/readiness.ts";
import { denoFileSystem, type FileSystem } from "../../../src/storage/file_system.ts";
import { get, post } from "../../http/raw_http.ts";
import { OriginalQueue } from "../../support/original_data_path.ts";
import { RunningBroker } from "../../support/running_broker.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { until } from "../../wire/observe.ts";

async function ready(port: number): Promise<string> {
  const { status, body } = await get(port, "/ready");
  return `${status} ${body}`;
}

/** One request to a Unix socket; status and body. */
async function askSocket(path: string, target: string): Promise<string> {
  using conn = await Deno.connect({ transport: "unix", path });
  const writer = conn.writable.getWriter();
  await writer.write(
    new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
  );
  const answer = await new Response(conn.readable).text();
  return `${answer.split(" ")[1]} ${answer.slice(answer.indexOf("\r\n\r\n") + 4)}`;
}

Deno.test("GET /ready answers OK while nsqd takes messages", async () => {
  await using server = await startNsqd();
  assert.equal(await ready(server.httpPort), "200 OK");
  assert.equal((await post(server.httpPort, "/ready")).status, 405);
});

Deno.test("GET /ready says why while the disk refuses, and heals with it", async () => {
  let full = false;
  const fileSystem: FileSystem = {
    ...denoFileSystem,
    open(path, mode) {
      const handle = denoFileSystem.open(path, mode);
      const writeSync = (bytes: Uint8Array) => {
        if (full) throw new Error("No space left on device (os error 28)");
        return handle.writeSync(bytes);
      };
      return { ...handle, writeSync };
    },
  };
  await using running = new RunningBroker({ fileSystem });
  const { port } = running.http;
  assert.equal(await ready(port), "200 OK");
  full = true;
  assert.equal((await post(port, "/pub?topic=t", "x")).status, 503);
  assert.equal(await ready(port), "503 NOK - No space left on device (os error 28)");
  full = false;
  await until("it heals", async () => await ready(port) === "200 OK");
});

Deno.test("GET /ready answers 503 during a long start, as everything does", async () => {
  const directory = await Deno.makeTempDir({ prefix: "nsqd-test-" }), socket = `${directory}/http.sock`;
  let goOn = () => {};
  const gate = new Promise<void>((resolve) => goOn = resolve);
  const fileSystem: FileSystem = {
    ...denoFileSystem,
    open(path, mode) {
      const handle = denoFileSystem.open(path, mode);
      return { ...handle, syncData: () => gate.then(() => handle.syncData()) };
    },
  };
  for (const [name, bytes] of new OriginalQueue("orders").write({ body: "old" }).files()) {
    await Deno.writeFile(`${directory}/${name}`, bytes);
  }
  try {
    const starting = startNsqd([`--http-address=${socket}`], { directory, fileSystem });
    await until("the listener", () => Deno.stat(socket).then(() => true, () => false));
    assert.equal(await askSocket(socket, "/ready"), "503 NOK - starting: the stored state is being read");
    assert.equal(await askSocket(socket, "/ping"), "200 OK");
    assert.equal(await askSocket(socket, "/stats?format=json"), '503 {"message":"STARTING"}');
    goOn();
    await using _server = await starting;
    assert.equal(await askSocket(socket, "/ready"), "200 OK");
  } finally {
    goOn();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Readiness.check() refuses while the node stops, whatever the disk does", () => {
  const readiness = new Readiness();
  readiness.serve(() => new Response("api"));
  assert.equal(readiness.check(null), "OK");
  readiness.stop();
  for (const failure of [null, "No space left on device"]) {
    assert.throws(() => readiness.check(failure), (error: HttpError) => {
      assert.deepEqual([error.status, error.code], [503, "NOK - stopping"]);
      return true;
    });
  }
});
