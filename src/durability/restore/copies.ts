/**
 * Which copy of a message is used when a start finds several: compaction and the joining of scattered records write a
 * message again before its old place goes, and the old place stays for as long as its file does.
 *
 * The sound one is; of several sound ones the kept one, and of those the newest. So nothing is missing but what lies in
 * damaged blocks only, and a restart does not undo compaction. Only blocks of which there are several copies are
 * read for this; what is damaged and has no copy is found when it is wanted.
 *
 * Tested in test/fuzz/copies_fuzz.ts.
 */
import type { RecoveredBlock } from "../../storage/recovery.ts";

/** Tells whether the records of a block match their checksum. */
export type SoundCheck = (block: RecoveredBlock) => boolean;

/**
 * The blocks of consecutive records to use, in order, no two of which have a record in common.
 *
 * Copies have the records of one block or of several whole ones, for they are made of whole blocks.
 */
export function chooseDense(blocks: readonly RecoveredBlock[], isSound: SoundCheck): RecoveredBlock[] {
  const sorted = [...blocks].sort((a, b) => a.entry.firstSeq - b.entry.firstSeq);
  const chosen: RecoveredBlock[] = [];
  for (let from = 0; from < sorted.length;) {
    let to = from + 1, endSeq = endOf(sorted[from]);
    for (; to < sorted.length && sorted[to].entry.firstSeq < endSeq; to++) {
      endSeq = Math.max(endSeq, endOf(sorted[to]));
    }
    if (to === from + 1) chosen.push(sorted[from]);
    else chosen.push(...chooseAmong(sorted.slice(from, to), isSound));
    from = to;
  }
  return chosen;
}

/** Chooses among blocks that overlap. */
function chooseAmong(blocks: RecoveredBlock[], isSound: SoundCheck): RecoveredBlock[] {
  blocks.sort(byPreference);
  const damaged: RecoveredBlock[] = [];
  let chosen: RecoveredBlock[] = [];
  for (const block of blocks) {
    if (overlaps(block, chosen)) continue;
    if (isSound(block)) chosen = inserted(chosen, block);
    else damaged.push(block);
  }
  // What no sound block has is lost, and reported with its place when it is read.
  for (const block of damaged) if (!overlaps(block, chosen)) chosen = inserted(chosen, block);
  return chosen;
}

/** Blocks of scattered records, the best copies last; those that are damaged are left out. */
export function chooseSparse(blocks: readonly RecoveredBlock[], isSound: SoundCheck): RecoveredBlock[] {
  return blocks.filter(isSound).sort((a, b) => byPreference(b, a));
}

/** Kept ones first, and the newest of a kind. */
function byPreference(a: RecoveredBlock, b: RecoveredBlock): number {
  if (a.file.kind !== b.file.kind) return a.file.kind === "kept" ? -1 : 1;
  return b.file.number - a.file.number || b.entry.dataAt - a.entry.dataAt;
}

function endOf({ entry }: RecoveredBlock): number {
  return entry.firstSeq + entry.count;
}

/** Index of the first of `chosen`, which are in order, that ends behind `seq`. */
function indexBehind(chosen: RecoveredBlock[], seq: number): number {
  let low = 0, high = chosen.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(chosen[middle]) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function overlaps(block: RecoveredBlock, chosen: RecoveredBlock[]): boolean {
  const next = chosen[indexBehind(chosen, block.entry.firstSeq)];
  return next !== undefined && next.entry.firstSeq < endOf(block);
}

function inserted(chosen: RecoveredBlock[], block: RecoveredBlock): RecoveredBlock[] {
  chosen.splice(indexBehind(chosen, block.entry.firstSeq), 0, block);
  return chosen;
}
