import assert from "node:assert/strict";
import { History } from "../../../src/admin/history/history.ts";
import { readHistory, writeHistory } from "../../../src/admin/history/history_file.ts";
import { HistoryKeeper } from "../../../src/admin/history/history_keeper.ts";
import { NO_FIGURES } from "../../../src/admin/poller/reading.ts";
import type { Snapshot } from "../../../src/admin/model/snapshot.ts";
import { Logger } from "../../../src/log/logger.ts";

function filled(): History {
  const history = new History(1 << 20);
  for (let second = 0; second < 200; second++) {
    const totals = { ...NO_FIGURES, depth: second };
    history.record({ atMs: second * 1000, nodes: [], topics: new Map(), totals } as unknown as Snapshot);
  }
  history.mark("t:orders", { atMs: 5, kind: "pause", text: "pause orders" });
  return history;
}

async function withFile(
  run: (path: string, logger: Logger, lines: string[]) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir(), lines: string[] = [];
  try {
    await run(`${directory}/history.bin`, new Logger("info", "", (line) => lines.push(line)), lines);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("HistoryKeeper writes what a later one reads, and charts go on from there", async () => {
  await withFile(async (path, logger, lines) => {
    const before = filled();
    const keeper = new HistoryKeeper(path, before, logger);
    keeper.start();
    await keeper.stop();
    const after = new History(1 << 20);
    await new HistoryKeeper(path, after, logger).read();
    assert.deepEqual(after.read("", 0, 199_000, 199_000), before.read("", 0, 199_000, 199_000));
    assert.deepEqual(after.marks("t:orders", 0, 9).length, 1);
    assert.deepEqual(lines, []);
  });
});

Deno.test("readHistory() puts a file aside that is damaged anywhere, and begins anew", async () => {
  await withFile(async (path, logger, lines) => {
    await writeHistory(path, filled().store());
    const whole = await Deno.readFile(path);
    for (
      const damaged of [
        whole.slice(0, 9),
        whole.slice(0, -1),
        whole.with(whole.length >> 1, 77 ^ whole[whole.length >> 1]),
      ]
    ) {
      await Deno.writeFile(path, damaged);
      assert.equal(await readHistory(path, logger), null);
      assert.match(lines.at(-1)!, /WARNING: cannot use the history .*, kept as .*\.bad - it is damaged\n$/);
      assert.deepEqual(await Deno.readFile(`${path}.bad`), damaged);
    }
    const count = lines.length;
    assert.equal(await readHistory(path, logger), null, "there is none any more, which is nothing to log");
    assert.equal(lines.length, count);
  });
});
