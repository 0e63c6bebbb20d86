import assert from "node:assert/strict";
import { serve } from "../../src/http/server.ts";
import { Logger } from "../../src/log/logger.ts";
import { StartupError } from "../../src/log/startup_error.ts";

const logger = new Logger("fatal", "", () => {});

Deno.test("serve() tells the port that was bound, and names the address that is in use", async () => {
  const server = serve("127.0.0.1:0", () => new Response("OK"), logger);
  assert.equal(server.address, `127.0.0.1:${server.port}`);
  assert.equal(await (await fetch(`http://${server.address}/`)).text(), "OK");
  const message =
    `listen (${server.address}) failed - listen tcp ${server.address}: bind: address already in use`;
  assert.throws(() => serve(server.address, () => new Response(), logger), { name: "StartupError", message });
  await server.shutdown();
});

Deno.test("serve() listens on a Unix socket, whose port is -1", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/http.sock`;
  const server = serve(path, (request) => new Response(request.target), logger);
  assert.equal(server.address, path);
  assert.equal(server.port, -1);
  using conn = await Deno.connect({ transport: "unix", path });
  await conn.write(new TextEncoder().encode("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  assert.match(await new Response(conn.readable).text(), /\r\n\r\n\/ping$/);
  await server.shutdown();
  assert.throws(() => serve(`${directory}/none/http.sock`, () => new Response(), logger), StartupError);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("HttpServer.shutdown() lets running requests finish and refuses new connections", async () => {
  const started = Promise.withResolvers<void>(), finish = Promise.withResolvers<Response>();
  const server = serve("127.0.0.1:0", () => {
    started.resolve();
    return finish.promise;
  }, logger);
  const answer = fetch(`http://${server.address}/`);
  await started.promise;
  const down = server.shutdown();
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: server.port }));
  finish.resolve(new Response("late"));
  assert.equal(await (await answer).text(), "late");
  await down;
});

Deno.test("HttpServer.shutdown() does not wait for a request for longer than its grace", async () => {
  const started = Promise.withResolvers<void>(), finish = Promise.withResolvers<Response>();
  const server = serve("127.0.0.1:0", () => {
    started.resolve();
    return finish.promise;
  }, logger);
  const answer = fetch(`http://${server.address}/`);
  await started.promise;
  const cut = assert.rejects(answer);
  await server.shutdown(1);
  await cut;
  finish.resolve(new Response("late"));
});
