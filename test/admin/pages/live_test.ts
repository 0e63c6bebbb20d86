import assert from "node:assert/strict";
import {
  finishPage,
  mark,
  markMoment,
  markStill,
  splitPage,
  streamPage,
  structureOf,
} from "../../../src/admin/pages/live.ts";

const NOON_MS = Date.UTC(2026, 10, 25, 12, 0, 0);

function page(depth: string, state = "ok"): string {
  return `<p class="${state}">${mark(depth)}</p>${markMoment(NOON_MS)}${markStill("<svg></svg>")}`;
}

Deno.test("splitPage() gives live values by position, moments as milliseconds, special characters as they are", () => {
  assert.deepEqual(splitPage(page("1 &#60; 2")).values, ["1 < 2", String(NOON_MS)]);
});

Deno.test("finishPage() leaves no marker, and writes moments in the style that is asked for", () => {
  assert.equal(
    finishPage(page("7"), NOON_MS + 65_000, "relative"),
    `<p class="ok">7</p><time data-n="t" data-ms="${NOON_MS}" datetime="2026-11-25T12:00:00.000Z" ` +
      `title="2026-11-25 12:00:00Z">1 min ago</time><svg></svg>`,
  );
  assert.match(finishPage(page("7"), NOON_MS, "utc"), />2026-11-25 12:00:00Z<\/time>/);
});

Deno.test("structureOf() is the same while only live values and what a script draws differ", () => {
  const name = structureOf(splitPage(page("7")));
  assert.equal(structureOf(splitPage(page("8").replace("svg", "img"))), name);
  assert.notEqual(structureOf(splitPage(page("7", "critical"))), name);
});

Deno.test("what a client calls itself cannot be taken for a marker", () => {
  const hostile = "\u0001moment:1\u0002";
  assert.deepEqual(splitPage(`<b>${hostile}</b>${mark(hostile.replaceAll("\u0002", ""))}`).values.length, 1);
});

/** Reads events of a stream until `count` have come; comments do not count. */
async function readEvents(stream: ReadableStream<Uint8Array>, count: number): Promise<[string, unknown][]> {
  const events: [string, unknown][] = [];
  const reader = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .getReader();
  while (events.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    const match = /^event: (\w)\ndata: (.*)\n\n$/.exec(value);
    if (match !== null) events.push([match[1], JSON.parse(match[2])]);
  }
  await reader.cancel();
  return events;
}

Deno.test("streamPage() sends values that changed, and the page anew when more than values did", async () => {
  const renders = [page("7"), page("8"), page("8", "critical")];
  const stream = streamPage({
    structure: structureOf(splitPage(page("0"))),
    intervalMs: 1,
    stopping: new AbortController().signal,
    finish: (html) => finishPage(html, NOON_MS, "utc"),
    render: () => Promise.resolve(renders.length > 1 ? renders.shift()! : renders[0]),
  });
  const [first, second, third] = await readEvents(stream, 3);
  assert.deepEqual(first, ["n", { 0: "7", 1: String(NOON_MS) }]);
  assert.deepEqual(second, ["n", { 0: "8" }]);
  assert.equal(third[0], "h");
  assert.match((third[1] as { html: string }).html, /^<p class="critical">8<\/p>/);
});

Deno.test("streamPage() ends with the console, and renders nothing for a browser that has left", async () => {
  const stopping = new AbortController();
  let count = 0;
  const settings = {
    structure: "",
    intervalMs: 1,
    stopping: stopping.signal,
    finish: (html: string) => html,
    render: () => Promise.resolve(page(String(count++))),
  };
  await readEvents(streamPage(settings), 1);
  const afterLeaving = count;
  const ended = readEvents(streamPage({ ...settings, stopping: stopping.signal }), Infinity);
  stopping.abort();
  const events = await ended;
  assert.ok(events.length <= 1);
  assert.ok(count <= afterLeaving + 1);
});
