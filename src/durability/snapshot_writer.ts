/**
 * The whole state as a log file begins with it: queues of Go nsqd that are taken over, topics, channels, positions.
 *
 * Tested in test/durability/persistence_model_test.ts.
 */
import type { SteadyTime } from "../clock/steady_time.ts";
import type { Broker } from "../broker/broker.ts";
import { StateWriter } from "../storage/state/state_records.ts";
import type { ImportedQueues } from "./take_over/imported_queues.ts";
import type { PositionWriter } from "./position_writer.ts";
import { writeDeadLetters, writeSnapshot, writeTopic } from "./positions.ts";
import type { TrackedBases } from "./tracked_bases.ts";

/** Bytes of a snapshot part: bounds the memory one takes. */
const PART_BYTES = 1 << 20;

export class SnapshotWriter {
  readonly #positions: PositionWriter;
  readonly #imports: ImportedQueues;
  readonly #bases: TrackedBases;
  readonly #steady: SteadyTime;
  readonly #part = new StateWriter();

  constructor(positions: PositionWriter, imports: ImportedQueues, bases: TrackedBases, steady: SteadyTime) {
    this.#positions = positions;
    this.#imports = imports;
    this.#bases = bases;
    this.#steady = steady;
  }

  /** Gives all that `broker` has to `emit`, part by part. */
  write(broker: Broker, emit: (part: StateWriter) => void): void {
    const part = this.#part;
    part.clear();
    const flushPart = () => {
      if (part.size < PART_BYTES) return;
      emit(part);
      part.clear();
    };
    this.#positions.noteClock();
    this.#positions.stageClock(part);
    this.#imports.writeTo(part);
    for (const topic of broker.topics.values()) {
      if (topic.ephemeral) continue;
      writeTopic(topic, part, this.#steady);
      for (const channel of topic.channels.values()) {
        if (!channel.durable) continue;
        const number = this.#positions.numberOf(channel);
        writeSnapshot(channel, number, part);
        this.#bases.writeTo(part, channel, number);
        writeDeadLetters(channel, number, part);
        flushPart();
      }
      flushPart();
    }
    emit(part);
  }
}
