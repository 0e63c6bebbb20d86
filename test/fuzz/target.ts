/**
 * What a fuzzer is. A target is opened once and then given batches; each batch has a seed of its own, so that
 * what batch 812 of a long run found can be repeated without the 811 before it.
 */
import type { Random } from "../support/random.ts";

/** How much was done, by what is counted, such as `commands` and `refused`. */
export type Tally = Record<string, number>;

/** Adds `n` of `what` to a tally. */
export function count(tally: Tally, what: string, n: number): void {
  tally[what] = (tally[what] ?? 0) + n;
}

export interface Session {
  /** Does about `rounds` rounds with what `random` says. @throws when something is wrong */
  batch(random: Random, rounds: number): Tally | Promise<Tally>;
  /** Checks what can be seen at the end only, such as leaks. @throws when something is wrong */
  check(): Promise<void>;
  /** Lets go of everything, also after a failure. */
  close(): Promise<void>;
}

export interface Target {
  readonly name: string;
  /** What is fuzzed, for `--help`. */
  readonly summary: string;
  /** Rounds in one batch. */
  readonly batchRounds: number;
  /** Rounds of the run among the tests; a fraction of a second. */
  readonly shortRounds: number;
  open(): Session | Promise<Session>;
}

/** A target without anything that stays open. */
export function plainSession(batch: Session["batch"]): Session {
  return { batch, check: () => Promise.resolve(), close: () => Promise.resolve() };
}

/** The first part of a text that may be long, for an error message. */
export function excerpt(text: string, maxLength = 400): string {
  const shown = JSON.stringify(text.slice(0, maxLength));
  return text.length > maxLength ? `${shown} and ${text.length - maxLength} more` : shown;
}
