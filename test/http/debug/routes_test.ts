import assert from "node:assert/strict";
import { argv } from "node:process";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { debugRoutes, endProfiles, pprofRoutes } from "../../../src/http/debug/routes.ts";
import { get, header, post, send, serveRoutes, type TestApi } from "../raw_http.ts";

function serveDebug(freeMemory?: () => void): TestApi {
  return serveRoutes(debugRoutes({ indexPath: "/debug/pprof/", freeMemory }));
}

/** A profile as its readers see it: each sample with the names of its stack, the innermost first. */
interface ReadProfile {
  kinds: string[];
  samples: { stack: { name: string; file: string; line: number }[]; values: number[] }[];
}

async function fetchProfile(api: TestApi, target: string): Promise<ReadProfile> {
  const response = await fetch(`http://127.0.0.1:${api.port}${target}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.equal(response.headers.get("x-nsq-content-type"), null);
  return read(await response.bytes());
}

function read(bytes: Uint8Array): ReadProfile {
  const profile = Profile.decode(gunzipSync(bytes));
  const text = (id: number | bigint) => profile.stringTable.strings[Number(id)];
  const places = new Map(profile.location.map(({ id, line: [{ functionId, line }] }) => {
    const { name, filename } = profile.function.find((candidate) => candidate.id === functionId)!;
    return [id, { name: text(name), file: text(filename), line: Number(line) }];
  }));
  assert.deepEqual(profile.mapping.map(({ hasFunctions }) => hasFunctions), [true]);
  return {
    kinds: profile.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`),
    samples: profile.sample.map(({ locationId, value }) => ({
      stack: locationId.map((id) => places.get(id)!),
      values: value.map(Number),
    })),
  };
}

/** Uses the CPU until `signal` ends it, in slices that let the server work. */
async function burnCpu(signal: AbortSignal): Promise<void> {
  let sum = 0;
  while (!signal.aborted) {
    const endMs = performance.now() + 10;
    while (performance.now() < endMs) sum += Math.sqrt(sum + 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

Deno.test("GET /debug/pprof/profile says which functions and lines of which file used the CPU", async () => {
  await using api = serveDebug();
  const stop = new AbortController();
  const burning = burnCpu(stop.signal);
  const { kinds, samples } = await fetchProfile(api, "/debug/pprof/profile?seconds=0.3");
  stop.abort();
  await burning;
  assert.deepEqual(kinds, ["samples/count", "cpu/nanoseconds"]);
  const burnt = samples.filter(({ stack }) => stack.some(({ name }) => name === "debug/routes_test.burnCpu"));
  assert.ok(burnt.reduce((sum, { values }) => sum + values[1], 0) > 10e6, "over 10 ms");
  const source = Deno.readTextFileSync(new URL(import.meta.url)).split("\n");
  for (const { stack } of burnt) {
    const { file, line } = stack.find(({ name }) => name === "debug/routes_test.burnCpu")!;
    assert.equal(file, new URL(import.meta.url).pathname);
    assert.match(source.slice(line - 2, line + 1).join(), /burnCpu|endMs|signal|setTimeout/);
  }
  assert.deepEqual(api.lines, []);
});

Deno.test("GET /debug/pprof/heap?seconds= says which functions allocated what is in use", async () => {
  await using api = serveDebug();
  const kept: number[][] = [];
  const timer = setInterval(function allocate() {
    for (let i = 0; i < 1000; i++) kept.push(new Array(100).fill(i));
  }, 5);
  const { kinds, samples } = await fetchProfile(api, "/debug/pprof/heap?seconds=0.2");
  clearInterval(timer);
  assert.deepEqual(kinds, ["inuse_space/bytes"]);
  const name = "debug/routes_test.allocate";
  const allocated = samples.filter(({ stack }) => stack.some((place) => place.name === name));
  assert.ok(allocated.reduce((sum, { values }) => sum + values[0], 0) > 100_000);
});

Deno.test("GET /debug/pprof/heap gives the memory of the moment by kind, with debug=1 as text", async () => {
  await using api = serveDebug();
  const { kinds, samples } = await fetchProfile(api, "/debug/pprof/heap");
  assert.deepEqual(kinds, ["inuse_space/bytes"]);
  assert.ok(samples.some(({ stack }) => stack[0].name === "old_space (used)" && stack[1].name === "V8 heap"));
  assert.match(
    (await get(api.port, "/debug/pprof/heap?debug=1")).body,
    /\d {2}V8 heap: old_space \(used\)\n/,
  );
});

Deno.test("GET /debug/pprof/profile takes one profile at a time, until its client leaves", async () => {
  await using api = serveDebug();
  const leave = new AbortController();
  const url = `http://127.0.0.1:${api.port}/debug/pprof/profile`;
  const first = await fetch(`${url}?seconds=30`, { signal: leave.signal });
  for (const target of ["profile?seconds=1", "heap?seconds=1"]) {
    const second = await get(api.port, `/debug/pprof/${target}`);
    assert.equal(second.status, 409);
    assert.equal(second.body, "another profile is being taken; only one can be taken at a time");
  }
  leave.abort();
  await assert.rejects(first.bytes(), { name: "AbortError" });
  const deadlineMs = performance.now() + 5000;
  for (;;) {
    const third = await get(api.port, "/debug/pprof/profile?seconds=0.01");
    if (third.status === 200) break;
    assert.ok(performance.now() < deadlineMs, "the profile goes on without its client");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

Deno.test("endProfiles() ends a profile early, with what it has", async () => {
  await using api = serveDebug();
  const answer = await fetch(`http://127.0.0.1:${api.port}/debug/pprof/profile?seconds=30`);
  endProfiles();
  assert.deepEqual(read(await answer.bytes()).kinds, ["samples/count", "cpu/nanoseconds"]);
});

Deno.test("GET /debug/pprof/profile refuses durations that are none", async () => {
  await using api = serveDebug();
  for (const seconds of ["0", "-1", "abc", "", "3601", "1e3"]) {
    const answer = await get(api.port, `/debug/pprof/profile?seconds=${seconds}`);
    assert.equal(answer.status, 400);
    assert.equal(
      answer.body,
      `cannot take a profile of seconds=${seconds}: it has to be over 0, at most 3600`,
    );
  }
});

Deno.test("debugRoutes() answer for what has no counterpart that there is none", async () => {
  await using api = serveDebug();
  for (const name of ["goroutine", "block", "threadcreate"]) {
    const answer = await get(api.port, `/debug/pprof/${name}?debug=1`);
    assert.equal(answer.status, 501);
    assert.match(answer.body, new RegExp(`^there is no ${name} profile: `));
    assert.equal(header(answer, "content-type"), "text/plain; charset=utf-8");
  }
  for (const name of ["mutex", "allocs", "trace"]) {
    assert.equal((await get(api.port, `/debug/pprof/${name}`)).status, 404);
  }
});

Deno.test("debugRoutes() list the profiles, tell the command line, and know no addresses", async () => {
  await using api = serveDebug();
  const index = await get(api.port, "/debug/pprof/");
  assert.equal(header(index, "content-type"), "text/html; charset=utf-8");
  assert.match(index.body, /href="\/debug\/pprof\/profile\?seconds=30"/);
  assert.equal(header(await get(api.port, "/debug/pprof"), "location"), "/debug/pprof/");
  assert.equal((await get(api.port, "/debug/pprof/cmdline")).body, argv.join("\0"));
  assert.equal((await get(api.port, "/debug/pprof/symbol")).body, "num_symbols: 0\n");
  assert.equal((await post(api.port, "/debug/pprof/symbol", "0x1")).body, "num_symbols: 0\n");
  await using other = serveRoutes(pprofRoutes({ indexPath: "/debug/pprof" }));
  assert.equal((await get(other.port, "/debug/pprof")).status, 200);
  assert.equal(header(await get(other.port, "/debug/pprof/"), "location"), "/debug/pprof");
});

Deno.test("PUT /debug/setblockrate takes a whole number from the query or a form", async () => {
  await using api = serveDebug();
  const put = (target: string, headers = "", body = "") =>
    send(api.port, `PUT ${target} HTTP/1.1\r\nContent-Length: ${body.length}${headers}`, body);
  const form = "\r\nContent-Type: application/x-www-form-urlencoded";
  for (
    const answer of [
      await put("/debug/setblockrate?rate=-5"),
      await put("/debug/setblockrate", form, "rate=7"),
    ]
  ) {
    assert.equal(`${answer.status} ${answer.body}`, "200 ");
  }
  for (const [target, value] of [["?rate=abc", "abc"], ["", ""], ["?rate=1.5", "1.5"]]) {
    const answer = await put(`/debug/setblockrate${target}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.body, `invalid block rate : strconv.Atoi: parsing "${value}": invalid syntax`);
  }
});

Deno.test("POST /debug/freememory lets go of what is kept for reuse, and collects garbage", async () => {
  let count = 0;
  await using api = serveDebug(() => count++);
  const garbage = new WeakRef({});
  await new Promise((resolve) => setTimeout(resolve, 0));
  const answer = await post(api.port, "/debug/freememory");
  assert.equal(`${answer.status} ${answer.body}`, "200 ");
  assert.equal(count, 1);
  assert.equal(garbage.deref(), undefined);
});
