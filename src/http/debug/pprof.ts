/**
 * Builds profiles in the format of pprof (a gzipped protobuf), as `go tool pprof` and its like read them.
 *
 * Tested in test/http/debug/routes_test.ts.
 */
import { gzip } from "node:zlib";
import { promisify } from "node:util";
import {
  Function as PprofFunction,
  Line,
  Location,
  Mapping,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from "pprof-format";
import type { Frame } from "./frame.ts";

const NS_PER_MS = 1_000_000;

/** What the values of a sample are, such as `["cpu", "nanoseconds"]`. */
export type ValueKind = readonly [type: string, unit: string];

export class PprofBuilder {
  readonly #strings = new StringTable();
  readonly #profile: Profile;
  readonly #functions = new Map<string, number>();
  readonly #locations = new Map<string, number>();

  /**
   * @param kinds of the values of each sample; a reader shows the last unless asked
   * @param period what one sample stands for on average
   */
  constructor(kinds: readonly ValueKind[], periodKind: ValueKind, period: number) {
    this.#profile = new Profile({
      stringTable: this.#strings,
      sampleType: kinds.map((kind) => this.#valueType(kind)),
      periodType: this.#valueType(periodKind),
      period,
      // A reader that finds no mapping, or one without functions, asks for symbols.
      mapping: [
        new Mapping({
          id: 1,
          filename: this.#strings.dedup("deno"),
          hasFunctions: true,
          hasFilenames: true,
          hasLineNumbers: true,
        }),
      ],
    });
  }

  #valueType([type, unit]: ValueKind): ValueType {
    return new ValueType({ type: this.#strings.dedup(type), unit: this.#strings.dedup(unit) });
  }

  /** The time that the profile covers, Unix ms and ms. */
  setTime(startedAtMs: number, durationMs: number): void {
    this.#profile.timeNanos = BigInt(Math.round(startedAtMs * 1000)) * 1000n;
    this.#profile.durationNanos = Math.round(durationMs * NS_PER_MS);
  }

  /** Adds a sentence for who reads the profile. */
  addComment(text: string): void {
    this.#profile.comment.push(this.#strings.dedup(text));
  }

  /** The id of a place in the code, for `addSample()`. */
  location(frame: Frame, line: number = frame.line): number {
    const functionId = this.#function(frame);
    const key = `${functionId}:${line}`;
    let id = this.#locations.get(key);
    if (id === undefined) {
      id = this.#locations.size + 1;
      this.#locations.set(key, id);
      this.#profile.location.push(new Location({ id, mappingId: 1, line: [new Line({ functionId, line })] }));
    }
    return id;
  }

  #function({ name, file, line }: Frame): number {
    const key = `${name}\n${file}\n${line}`;
    let id = this.#functions.get(key);
    if (id === undefined) {
      id = this.#functions.size + 1;
      this.#functions.set(key, id);
      const text = this.#strings.dedup(name);
      const filename = this.#strings.dedup(file);
      this.#profile.function.push(
        new PprofFunction({ id, name: text, systemName: text, filename, startLine: line }),
      );
    }
    return id;
  }

  /** @param stack locations, the innermost first */
  addSample(stack: readonly number[], values: readonly number[]): void {
    this.#profile.sample.push(new Sample({ locationId: [...stack], value: values.map(Math.round) }));
  }

  /** The bytes of the profile. */
  async encode(): Promise<Uint8Array<ArrayBuffer>> {
    return Uint8Array.from(await promisify(gzip)(this.#profile.encode()));
  }
}
