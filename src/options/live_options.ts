/**
 * The options of a running server, some of which change: by its HTTP API, or with the config file.
 *
 * This is the one place that holds them. Whoever looks a value up when it is needed reads `values`; whoever has to
 * do something about a change registers with `on()`.
 */
import type { Logger } from "../log/logger.ts";
import { describeValue } from "./help.ts";
import {
  configKeyOf,
  type Option,
  type OptionTable,
  type OptionValue,
  type OptionValues,
  propertyName,
} from "./option.ts";

export class LiveOptions<T extends OptionTable> {
  /** The values of the moment. Only `set()` changes them. */
  readonly values: OptionValues<T>;
  readonly #table: T;
  readonly #logger: Logger;
  readonly #listeners = new Map<string, ((value: never) => void)[]>();

  /** `initial` is copied. */
  constructor(table: T, initial: OptionValues<T>, logger: Logger) {
    this.values = { ...initial };
    this.#table = table;
    this.#logger = logger;
  }

  /** Calls `listener` with each new value of the option that `values` calls `name`. */
  on<K extends keyof OptionValues<T> & string>(name: K, listener: (value: OptionValues<T>[K]) => void): void {
    const listeners = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, [...listeners, listener]);
  }

  /** Changes a value, logs that, and tells who listens; does nothing when it is the same. */
  set<K extends keyof OptionValues<T> & string>(name: K, value: OptionValues<T>[K]): void {
    const option = this.#table.find((candidate) => propertyName(candidate.name) === name)!;
    const before = this.values[name] as OptionValue;
    if (isSame(before, value as OptionValue)) return;
    this.values[name] = value;
    const texts = [value as OptionValue, before].map((each) => describeValue(option, each));
    const text = `${configKeyOf(option) ?? option.name} is ${texts[0]} now, was ${texts[1]}`;
    // The option may be the level of the log itself, which then shows the change at the lower of both.
    const isShown = this.#logger.isEnabled("info");
    this.#logger.info(text);
    for (const listener of this.#listeners.get(name) ?? []) listener(value as never);
    if (!isShown) this.#logger.info(text);
  }

  /** Takes over from `next` whatever may change while a program runs. */
  reload(next: OptionValues<T>): void {
    for (const option of this.#table) {
      if (!option.reloadable) continue;
      const name = propertyName(option.name) as keyof OptionValues<T> & string;
      this.set(name, next[name]);
    }
  }
}

/** The options whose values differ but cannot change while a program runs. */
export function findRestartOptions<T extends OptionTable>(
  table: T,
  running: OptionValues<T>,
  next: OptionValues<T>,
): Option[] {
  return table.filter((option) => {
    const name = propertyName(option.name) as keyof OptionValues<T>;
    return !option.reloadable && !isSame(running[name] as OptionValue, next[name] as OptionValue);
  });
}

/** Values are plain, or lists of plain ones. */
function isSame(a: OptionValue, b: OptionValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
