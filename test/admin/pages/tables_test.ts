/** Tables of the pages: sorted, filtered, cut into pages and exported by what the address says. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import type { ConsoleEnv } from "../../../src/admin/console.ts";
import { mountPages } from "../../../src/admin/pages/pages.tsx";
import { sampleChannel, SampleConsole, sampleSnapshot, sampleTopic } from "../../support/sample_console.ts";

const topics = Array.from(
  { length: 120 },
  (_, i) =>
    sampleTopic(`topic-${String(i).padStart(3, "0")}`, [sampleChannel(`topic-${i}`, "c")], {
      figures: { depth: i % 60 },
    }),
);
topics.push(sampleTopic(`=cmd|' /C calc'!A0,"x"`, []));

/** Answers of the pages of a console with `topics`. */
function open(basePath = "/") {
  const app = new Hono<ConsoleEnv>();
  app.use(async (context, next) => {
    context.set("user", { name: "", role: "admin", canViewBodies: true, source: "open" });
    await next();
  });
  mountPages(
    basePath === "/" ? app : app.basePath(basePath) as Hono<ConsoleEnv>,
    new SampleConsole(() => sampleSnapshot(topics), { basePath }),
  );
  return async (target: string) => {
    const answer = await app.request(target);
    return { answer, text: await answer.text() };
  };
}

/** Names of the rows of the table, from the top. */
function names(html: string): string[] {
  return [...html.matchAll(/<th scope="row">.*?<a href="[^"]*">([^<]*)<\/a>/gs)].map(([, name]) => name);
}

Deno.test("a table is sorted by the column of the address, ties by name, figures first the largest", async () => {
  const get = open();
  const { text } = await get("/topics?sort=-depth");
  assert.deepEqual(names(text).slice(0, 3), ["topic-059", "topic-119", "topic-058"]);
  assert.match(text, /aria-sort="descending"><a href="\/topics\?sort=depth">Waiting/);
  assert.deepEqual(names((await get("/topics?sort=topic&q=topic")).text).slice(0, 2), [
    "topic-000",
    "topic-001",
  ]);
});

Deno.test("a table has pages, and a page that is not there is the last one", async () => {
  const get = open();
  const { text } = await get("/topics?sort=topic&q=topic&page=3");
  assert.equal(names(text).length, 20);
  assert.match(text, /101–120 of 120/);
  assert.deepEqual(names((await get("/topics?sort=topic&q=topic&page=99")).text), names(text));
});

Deno.test("a filter that nothing matches says so and leads back; one that is wrong says why", async () => {
  const get = open();
  assert.match(
    (await get("/topics?q=nope")).text,
    /Nothing matches <q>nope<\/q>. <a href="\/topics">Show all<\/a>/,
  );
  assert.match((await get("/topics?q=speed:1")).text, /There is no column &quot;speed&quot; here/);
});

Deno.test("an export has all rows that match, and no cell that a spreadsheet would run", async () => {
  const get = open();
  const { answer, text } = await get("/topics?format=csv&sort=topic");
  assert.equal(answer.headers.get("content-disposition"), `attachment; filename="topics.csv"`);
  const lines = text.split("\r\n");
  assert.equal(lines.length, 123);
  assert.match(lines[0], /^topic,state,depth,/);
  assert.match(lines[1], /^"'=cmd\|' \/C calc'!A0,""x""",ok,0,/);
  const json = JSON.parse((await get("/topics?format=json&q=depth:>58")).text);
  assert.deepEqual(json.map(({ topic, depth }: Record<string, unknown>) => [topic, depth]), [
    ["topic-059", 59],
    ["topic-119", 59],
  ]);
});

Deno.test("all addresses of a page are below the base path", async () => {
  const { text } = await open("/adm")("/adm/topics?q=topic-00");
  const links = [...text.matchAll(/(?:href|action|src|data-[a-z]+)="(\/[^"]*)"/g)].map(([, link]) => link);
  assert.ok(links.length > 30);
  assert.deepEqual(links.filter((link) => !/^\/adm(?:[/?]|$)/.test(link)), []);
});

Deno.test("names are written as text, whatever they hold", async () => {
  const { text } = await open()("/topics?q=cmd");
  assert.ok(text.includes("=cmd|&#39; /C calc&#39;!A0,&quot;x&quot;</a>"));
});
