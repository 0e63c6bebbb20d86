import assert from "node:assert/strict";
import { deadAddress, FakeNode, startAdmin } from "../fixtures.ts";

const LOOKUPD = "--lookupd-http-address=127.0.0.1:1";

Deno.test("GET /api/graphite reads a rate: of the first point, for each second", async () => {
  const series: { value: unknown } = { value: [{ datapoints: [[120, 1]] }] };
  await using graphite = new FakeNode({ "/render": () => Response.json(series.value) });
  await using admin = await startAdmin([LOOKUPD, `--graphite-url=http://${graphite.address}`]);
  const rate = () => admin.ask("GET", "/api/graphite?metric=rate&target=sumSeries(x)");
  assert.equal(await rate(), '200 {"rate":"2.00"}');
  assert.equal(
    graphite.requests[0],
    "GET /render?format=json&from=-120sec&target=sumSeries(x)&until=-60sec",
  );
  series.value = [{ datapoints: [[-1, 1]] }];
  assert.equal(await rate(), '200 {"rate":"N/A"}');
  for (const wrong of [[], [{ datapoints: [] }], [{ datapoints: [[null, 1]] }], "text"]) {
    series.value = wrong;
    assert.equal(await rate(), '500 {"message":"INTERNAL_ERROR"}', JSON.stringify(wrong));
  }
});

Deno.test("GET /api/graphite says what it lacks, and fails when Graphite does", async () => {
  await using admin = await startAdmin([LOOKUPD, `--graphite-url=http://${deadAddress()}`]);
  const table: [query: string, answer: string][] = [
    ["", '400 {"message":"INVALID_ARG_METRIC"}'],
    ["?metric=x&target=t", '400 {"message":"INVALID_ARG_METRIC"}'],
    ["?metric=rate", '400 {"message":"INVALID_ARG_TARGET"}'],
    ["?metric=%zz", '400 {"message":"INVALID_REQUEST"}'],
    ["?metric=rate&target=t", '500 {"message":"INTERNAL_ERROR"}'],
  ];
  for (const [query, answer] of table) {
    assert.equal(await admin.ask("GET", `/api/graphite${query}`), answer, query);
  }
});

Deno.test("GET /render passes on what came, base path included, and exists only with --proxy-graphite", async () => {
  const seen: Record<string, string | null> = {};
  await using graphite = new FakeNode({
    "/adm/render": (request: Request) => {
      seen.authorization = request.headers.get("authorization");
      seen.forwarded = request.headers.get("x-forwarded-for");
      return new Response("png", { headers: { "Content-Type": "image/png" } });
    },
  });
  const url = `--graphite-url=http://me:secret@${graphite.address}/ignored`;
  await using admin = await startAdmin([LOOKUPD, url, "--proxy-graphite", "--base-path=adm"]);
  const response = await admin.request("GET", "/adm/render?target=a%20b&width=5", undefined, {
    "X-Forwarded-For": "9.9.9.9",
  });
  assert.deepEqual([response.headers.get("content-type"), await response.text()], ["image/png", "png"]);
  assert.deepEqual(graphite.requests, ["GET /adm/render?target=a%20b&width=5"]);
  assert.deepEqual(seen, { authorization: `Basic ${btoa("me:secret")}`, forwarded: "9.9.9.9, 127.0.0.1" });
  await using other = await startAdmin([LOOKUPD, url]);
  assert.equal(await other.ask("GET", "/render"), '404 {"message":"NOT_FOUND"}');
});
