/** The set of sequence numbers, against a plain one. */
import assert from "node:assert/strict";
import { SeqSet } from "../../../src/storage/state/seq_set.ts";
import { Random } from "../../support/random.ts";

const FIRST_SEQ = Date.UTC(2030, 0, 1) * 1000;

Deno.test("SeqSet has what was added, once, near and far", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed), expected = new Set([FIRST_SEQ]), set = new SeqSet(expected);
    for (let i = 0; i < 2000; i++) {
      const seq = FIRST_SEQ + (random.chance(0.5) ? random.int(500) : random.int(100) * 8191);
      assert.equal(set.has(seq), expected.has(seq), `seed ${seed}`);
      set.add(seq);
      expected.add(seq);
      assert.equal(set.size, expected.size, `seed ${seed}`);
    }
    assert.deepEqual([...set].sort(), [...expected].sort(), `seed ${seed}`);
  }
});
