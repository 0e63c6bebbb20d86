/**
 * What a connection sends: staged during a turn, written at its end.
 *
 * Flush rules: nothing is written before the end of the turn, and nothing waits longer, so neither a
 * response nor a message ever waits for a timer. Frames that answer and single records are copied into
 * a staging buffer; a run of records that is large is written straight from its segment, which is pinned
 * meanwhile. One write is out at a time; while it is, `accepting` is false and the channels give no more.
 *
 * An OK for a publish is staged in order but may not leave before its group is committed: `hold` marks the
 * point, of which two can exist (one group syncing, one gathering).
 *
 * Answers are bounded by not reading commands while `isFull`; messages by RDY and `isAccepting`.
 */
import type { Flushable } from "../../broker/broker.ts";
import type { Buffer, BufferPool } from "../../buffers/buffer_pool.ts";
import type { Segment } from "../../storage/segment.ts";
import { ATTEMPTS_OFFSET, FRAME_TYPE_ERROR, FRAME_TYPE_RESPONSE } from "../../protocol/message.ts";

/** Where bytes go. `write` may take only a part, as sockets do. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Whose output it is. */
export interface OutputOwner {
  /** A write has finished, or there was nothing to write, and nothing is out. */
  outputWritten(): void;
  /** A write failed; nothing is written after. */
  streamFailed(cause: unknown): void;
}

/** What gathers the outputs of a turn. */
export interface OutputTurn {
  /** Has `output.flush()` called at the end of the turn. */
  markOutput(output: Flushable): void;
  /** Monotonic ms. */
  monotonicMs(): number;
}

const FIRST_STAGING_BYTES = 512;
/** Runs up to this size are copied behind the staged frames rather than written on their own. */
const COPY_RUN_BYTES = 32_768;
/** Answers that wait before no more commands are run: a client that does not read them is to feel that. */
const MAX_ANSWER_BYTES = 65_536;
/** OK as a frame: size 6, type 0, "OK". */
const OK_FRAME = new Uint8Array([0, 0, 0, 6, 0, 0, 0, 0, 79, 75]);

/** The point in the staged bytes from which on all waits for a group. */
interface Hold {
  group: number;
  at: number;
}

export class Output implements Flushable {
  readonly #pool: BufferPool;
  readonly #owner: OutputOwner;
  readonly #turn: OutputTurn;
  #sink: Sink;
  #staging: Buffer | null = null;
  #staged = 0;
  #holds: Hold[] = [];
  #segments: Segment[] = [];
  #from: number[] = [];
  #to: number[] = [];
  /** Of the staged bytes, and of those that are being written, how many are answers. */
  #answerBytes = 0;
  #writtenAnswerBytes = 0;
  #isWriting = false;
  #isEnded = false;
  /** True while the turn knows that there is something to write. */
  #isMarked = false;
  /** True while messages may not overtake something that is held. */
  #isBlocked = false;
  /** Called when all that is staged is written. */
  #onWritten: (() => void) | null = null;
  /** When the write that is out began or last moved on, monotonic ms. */
  progressMs = 0;

  constructor(sink: Sink, pool: BufferPool, turn: OutputTurn, owner: OutputOwner) {
    this.#sink = sink;
    this.#pool = pool;
    this.#turn = turn;
    this.#owner = owner;
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** True when something is staged, held or not. */
  get isPending(): boolean {
    return this.#staged > 0 || this.#segments.length > 0;
  }

  /** True while something staged waits for a group. */
  get isHeld(): boolean {
    return this.#holds.length > 0;
  }

  /** Whether messages may be staged: no earlier ones are being written, and nothing must come before them. */
  get isAccepting(): boolean {
    return !this.#isWriting && !this.#isBlocked && !this.#isEnded;
  }

  /** True while so many answers wait that no further command should be run. */
  get isFull(): boolean {
    return this.#answerBytes + this.#writtenAnswerBytes > MAX_ANSWER_BYTES;
  }

  /** Writes go to `sink` from now on: the connection was upgraded. Nothing may be out. */
  changeSink(sink: Sink): void {
    this.#sink = sink;
  }

  // ---- staging ------------------------------------------------------------------------------

  ok(): void {
    const at = this.#reserve(OK_FRAME.length);
    const { bytes } = this.#staging!;
    for (let i = 0; i < OK_FRAME.length; i++) bytes[at + i] = OK_FRAME[i];
    this.#answerBytes += OK_FRAME.length;
    this.mark();
  }

  response(data: Uint8Array): void {
    this.#frame(FRAME_TYPE_RESPONSE, data);
  }

  error(data: Uint8Array): void {
    this.#frame(FRAME_TYPE_ERROR, data);
  }

  #frame(type: number, data: Uint8Array): void {
    const at = this.#reserve(8 + data.length);
    const { bytes, view } = this.#staging!;
    view.setUint32(at, 4 + data.length);
    view.setUint32(at + 4, type);
    bytes.set(data, at + 8);
    this.#answerBytes += 8 + data.length;
    this.mark();
  }

  /** Stages a copy of one record with another attempts count. */
  record(segment: Segment, index: number, attempts: number): void {
    const from = segment.index[index], to = segment.index[index + 1];
    const at = this.#reserve(to - from);
    const { bytes, view } = this.#staging!;
    bytes.set(segment.buffer!.bytes.subarray(from, to), at);
    view.setUint16(at + ATTEMPTS_OFFSET, attempts);
    this.mark();
  }

  /** Stages records [from, to) of a segment as they are. */
  run(segment: Segment, from: number, to: number): void {
    this.mark();
    const index = segment.index, fromByte = index[from], toByte = index[to];
    const last = this.#segments.length - 1;
    if (last >= 0 && this.#segments[last] === segment && this.#to[last] === fromByte) {
      this.#to[last] = toByte;
      return;
    }
    segment.pins++;
    this.#segments.push(segment);
    this.#from.push(fromByte);
    this.#to.push(toByte);
  }

  /** Has what is staged written at the end of the turn, and `outputWritten()` called even if there is nothing. */
  mark(): void {
    if (this.#isMarked || this.#isEnded) return;
    this.#isMarked = true;
    this.#turn.markOutput(this);
  }

  #reserve(byteCount: number): number {
    const at = this.#staged;
    this.#staged += byteCount;
    if (this.#staging === null) this.#staging = this.#pool.take(Math.max(FIRST_STAGING_BYTES, byteCount));
    else if (this.#staged > this.#staging.bytes.length) {
      const grown = this.#pool.take(Math.max(this.#staged, this.#staging.bytes.length * 2));
      grown.bytes.set(this.#staging.bytes.subarray(0, at));
      this.#pool.give(this.#staging);
      this.#staging = grown;
    }
    return at;
  }

  // ---- groups -------------------------------------------------------------------------------

  /** What is staged from here on waits for `group`; true when this is the first in that group. */
  hold(group: number): boolean {
    const holds = this.#holds;
    if (holds.length > 0 && holds[holds.length - 1].group === group) return false;
    holds.push({ group, at: this.#staged });
    return true;
  }

  /** `group` and those before are decided: what waited for them may go. */
  lift(group: number): void {
    while (this.#holds.length > 0 && this.#holds[0].group <= group) this.#holds.shift();
    if (this.#holds.length === 0) this.#isBlocked = false;
    this.mark();
  }

  /** While something is held, no messages are accepted: the last answer must come before the first of them. */
  blockMessages(): void {
    this.#isBlocked = this.isHeld;
  }

  /** `group` failed: what was staged from its first OK on is dropped. False when there is no such OK. */
  dropHeld(group: number): boolean {
    const hold = this.#holds.find((h) => h.group === group);
    if (hold === undefined) return false;
    this.#staged = hold.at;
    this.#answerBytes = Math.min(this.#answerBytes, this.#staged);
    this.#holds = this.#holds.filter((h) => h.group < group);
    return true;
  }

  // ---- writing ------------------------------------------------------------------------------

  /** Starts to write what may go: called at the end of a turn in which something was staged. */
  flush(): void {
    this.#isMarked = false;
    if (!this.#start()) this.#settle();
  }

  /** Resolves when all that is staged is written. */
  written(): Promise<void> {
    return new Promise((resolve) => {
      this.#onWritten = resolve;
      this.mark();
    });
  }

  /** True when a write is out. */
  #start(): boolean {
    if (this.#isWriting || this.#isEnded) return this.#isWriting;
    this.#copySmallRuns();
    const free = this.#holds.length > 0 ? this.#holds[0].at : this.#staged;
    if (free > 0) this.#writeStaging(free);
    else if (this.#segments.length > 0) this.#writeRun();
    return this.#isWriting;
  }

  #settle(): void {
    const resolve = this.#onWritten;
    if (resolve === null || this.isPending) return this.#owner.outputWritten();
    this.#onWritten = null;
    resolve();
  }

  /** With little to send, one write for all: the runs go behind the staged frames. */
  #copySmallRuns(): void {
    const segments = this.#segments;
    if (segments.length === 0 || this.#holds.length > 0) return;
    let total = 0;
    for (let i = 0; i < segments.length; i++) total += this.#to[i] - this.#from[i];
    if (total > COPY_RUN_BYTES) return;
    if (segments.length === 1 && this.#staged === 0) return;
    for (let i = 0; i < segments.length; i++) {
      const byteCount = this.#to[i] - this.#from[i];
      const at = this.#reserve(byteCount);
      this.#staging!.bytes.set(segments[i].buffer!.bytes.subarray(this.#from[i], this.#to[i]), at);
      segments[i].unpin(this.#pool);
    }
    segments.length = this.#from.length = this.#to.length = 0;
  }

  #writeStaging(byteCount: number): void {
    const out = this.#staging!;
    this.#staging = null;
    const rest = this.#staged - byteCount;
    this.#staged = 0;
    const answerBytes = this.#writtenAnswerBytes = Math.min(this.#answerBytes, byteCount);
    this.#answerBytes -= answerBytes;
    if (rest > 0) {
      const at = this.#reserve(rest);
      this.#staging!.bytes.set(out.bytes.subarray(byteCount, byteCount + rest), at);
    }
    for (const hold of this.#holds) hold.at -= byteCount;
    this.#write(out.bytes, 0, byteCount, () => this.#pool.give(out));
  }

  #writeRun(): void {
    const segment = this.#segments.shift()!, from = this.#from.shift()!, to = this.#to.shift()!;
    this.#write(segment.buffer!.bytes, from, to, () => segment.unpin(this.#pool));
  }

  #write(bytes: Uint8Array, from: number, to: number, done: () => void): void {
    this.#isWriting = true;
    this.progressMs = this.#turn.monotonicMs();
    const next = (written: number) => {
      from += written;
      this.progressMs = this.#turn.monotonicMs();
      if (from < to && !this.#isEnded) {
        this.#sink.write(bytes.subarray(from, to)).then(next, fail);
        return;
      }
      this.#isWriting = false;
      this.#writtenAnswerBytes = 0;
      done();
      if (!this.#start()) this.#settle();
    };
    const fail = (cause: unknown) => {
      this.#isWriting = false;
      done();
      this.end();
      this.#owner.streamFailed(cause);
    };
    this.#sink.write(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)).then(next, fail);
  }

  /** Lets everything go that is staged and not being written; nothing is staged or written after. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const segment of this.#segments) segment.unpin(this.#pool);
    this.#segments.length = this.#from.length = this.#to.length = 0;
    if (this.#staging !== null) this.#pool.give(this.#staging);
    this.#staging = null;
    this.#staged = this.#answerBytes = 0;
    this.#holds.length = 0;
  }

  /** @throws {Error} when what must always hold does not: for tests, and for runs that check themselves */
  invariants(): void {
    const holds = this.#holds, segments = this.#segments;
    const check = (isSo: boolean, what: string) => {
      if (!isSo) throw new Error(`output: ${what}`);
    };
    check(this.#staged <= (this.#staging?.bytes.length ?? 0), "more is staged than its buffer holds");
    check(this.#answerBytes >= 0 && this.#answerBytes <= this.#staged, "answers are staged bytes");
    check(holds.length <= 2, "at most two groups are undecided");
    for (let i = 0; i < holds.length; i++) {
      check(holds[i].at <= this.#staged, "a hold lies in what is staged");
      if (i > 0) {
        check(holds[i].group > holds[i - 1].group && holds[i].at >= holds[i - 1].at, "holds are in order");
      }
    }
    check(!this.#isBlocked || holds.length > 0, "messages are blocked by a hold only");
    check(segments.length === this.#from.length && segments.length === this.#to.length, "runs have bounds");
    for (let i = 0; i < segments.length; i++) {
      check(segments[i].pins > 0 && segments[i].buffer !== null, "segments of runs are pinned and in memory");
      check(this.#from[i] < this.#to[i], "runs are not empty");
    }
    check(!this.#isEnded || !this.isPending, "nothing is staged after the end");
  }
}
