/**
 * The snapshot of the whole state with which a log file begins: state blocks, and the same once more, for one
 * damaged byte must not cost the state.
 *
 * Tested in test/storage/recovery_test.ts and test/crash/torn_snapshot_test.ts.
 */
import { FLAG_SNAPSHOT_BEGIN, FLAG_SNAPSHOT_END, FLAG_SNAPSHOT_PART, KIND_STATE } from "./block.ts";
import type { LogFile } from "./log_file.ts";
import type { StateWriter } from "./state/state_records.ts";

/**
 * Writes the whole state, in as many parts as it likes, by calling `emit` with the filled writer.
 *
 * @returns what is called once all of it is in a file: until then nothing counts as told
 */
export type SnapshotSource = (emit: (part: StateWriter) => void) => () => void;

const COPIES = 2;
const EMPTY = new Uint8Array(0);

/** Appends what `source` tells to `file`, both copies; what is returned is to be called once that is written. */
export function appendSnapshots(file: LogFile, source: SnapshotSource): () => void {
  let written: () => void = () => {};
  for (let copy = 0; copy < COPIES; copy++) {
    let flags = FLAG_SNAPSHOT_PART | FLAG_SNAPSHOT_BEGIN;
    written = source((part) => {
      file.append(KIND_STATE, flags, 0, 0, part.count, EMPTY, part.bytes);
      flags = FLAG_SNAPSHOT_PART;
    });
    file.append(KIND_STATE, flags | FLAG_SNAPSHOT_END, 0, 0, 0, EMPTY, EMPTY);
  }
  return written;
}
