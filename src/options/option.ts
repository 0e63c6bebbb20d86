/**
 * What an option is. A program declares each of its options once, as an entry of a table; the command
 * line, the config file, `--help`, the checks and the TypeScript type of the result derive from it.
 *
 * Units of the values: a duration is a number of milliseconds, possibly with a fraction; bytes are a
 * whole number of bytes.
 *
 * Tested in test/options/option_tables_test.ts.
 */

/** What all kinds of options have in common. */
interface OptionBase {
  /** The flag without its dashes: lower-case words joined by `-`. */
  readonly name: string;
  /** The config file key, by default the name with `_` for `-`; null when only the flag exists. */
  readonly configKey?: string | null;
  /** The heading in `--help`. */
  readonly group: string;
  /** One sentence without its final dot. */
  readonly help: string;
  /** Accepted for the sake of old command lines, without effect. */
  readonly deprecated?: boolean;
  /** May change while the program runs: a config file that is read again sets it, see `LiveOptions`. */
  readonly reloadable?: boolean;
}

/** A range holds for given values and defaults alike; both ends belong to it. */
interface Range {
  readonly min?: number;
  readonly max?: number;
  /** A lower end that does not belong to the range. */
  readonly above?: number;
  /** A value out of range becomes the nearest in it, with a warning: other implementations take any value. */
  readonly isClamped?: boolean;
  /** The error for a value out of range, when Go nsqd has a text of its own for it; `%v` is the value. */
  readonly rangeError?: string;
}

/** A default may depend on the machine; it is then found out when the options are resolved. */
export type Default<T> = T | ((machine: Machine) => T);

export interface BoolOption extends OptionBase {
  readonly kind: "bool";
  readonly default: Default<boolean>;
}

/** A bool flag that may also be given a word after `=`, which is lower case and taken in either case. */
export interface BoolOrWordOption<W extends string = string> extends OptionBase {
  readonly kind: "bool or word";
  readonly word: W;
  readonly default: Default<boolean>;
}

/** A whole number without a unit, or with one that only the help names. */
export interface IntOption extends OptionBase, Range {
  readonly kind: "int";
  readonly unit?: string;
  readonly default: Default<number>;
}

/** A number that may have a fraction, without a unit. */
export interface FloatOption extends OptionBase, Range {
  readonly kind: "float";
  readonly default: Default<number>;
}

/** A size: a whole number of bytes, written plainly or with a suffix such as MiB. */
export interface BytesOption extends OptionBase, Range {
  readonly kind: "bytes";
  readonly default: Default<number>;
}

/** A time span; `min`, `max` and the default are milliseconds. */
export interface DurationOption extends OptionBase, Range {
  readonly kind: "duration";
  readonly default: Default<number>;
}

export interface StringOption extends OptionBase {
  readonly kind: "string";
  readonly default: Default<string>;
}

/** One of `values`, which are lower case; letters are accepted in either case. */
export interface EnumOption<V extends string = string> extends OptionBase {
  readonly kind: "enum";
  readonly values: readonly V[];
  readonly default: Default<NoInfer<V>>;
  /** What the empty text stands for; without it that is an error. */
  readonly emptyMeans?: NoInfer<V>;
}

/** The flag may be repeated; given flags replace the list of the config file. */
export interface StringListOption extends OptionBase {
  readonly kind: "string list";
  /** In the config file an element may be a table, which is that in JSON. */
  readonly isTables?: boolean;
  /** The last flag comes first in the list: it is the one that counts where only one can. */
  readonly isLastFirst?: boolean;
  readonly default: Default<readonly string[]>;
}

/** Like a string list; one flag may hold several numbers joined by commas. */
export interface FloatListOption extends OptionBase, Range {
  readonly kind: "float list";
  readonly default: Default<readonly number[]>;
}

export type Option =
  | BoolOption
  | BoolOrWordOption
  | IntOption
  | FloatOption
  | BytesOption
  | DurationOption
  | StringOption
  | EnumOption
  | StringListOption
  | FloatListOption;

/** The options of one program, in the order of `--help`. */
export type OptionTable = readonly Option[];

/** What the value of any option may be. */
export type OptionValue = boolean | number | string | string[] | number[];

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

type ValueOf<O extends Option> = O extends BoolOption ? boolean
  : O extends { kind: "bool or word"; word: infer W } ? boolean | W
  : O extends IntOption | FloatOption | BytesOption | DurationOption ? number
  : O extends { kind: "enum"; values: readonly (infer V)[] } ? V
  : O extends StringOption ? string
  : O extends StringListOption ? string[]
  : O extends FloatListOption ? number[]
  : never;

/** The resolved options of a table: one property per entry, named after the flag in camelCase. */
export type OptionValues<T extends OptionTable> = {
  -readonly [O in T[number] as CamelCase<O["name"]>]: ValueOf<O>;
};

/** Facts about the machine that defaults may use. */
export interface Machine {
  hostname(): string;
  /** All memory there is, in bytes. */
  memoryBytes(): number;
}

/** This machine; needs `--allow-sys`. */
export const thisMachine: Machine = {
  hostname: () => Deno.hostname(),
  memoryBytes: () => Deno.systemMemoryInfo().total,
};

/** The property of the resolved options that holds the value of the flag `name`. */
export function propertyName(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The key of `option` in the config file, or null when it has none. */
export function configKeyOf(option: Option): string | null {
  return option.configKey === undefined ? option.name.replaceAll("-", "_") : option.configKey;
}

/** The option that the config file calls `key`. */
export function findByConfigKey(table: OptionTable, key: string): Option | undefined {
  return table.find((option) => configKeyOf(option) === key);
}

/** The default of `option` on `machine`. */
export function defaultOf(option: Option, machine: Machine): OptionValue {
  const value = typeof option.default === "function" ? option.default(machine) : option.default;
  return typeof value === "object" ? [...value] as string[] | number[] : value;
}

/** The options of `table` when nothing is said about any of them. */
export function defaultsOf<T extends OptionTable>(table: T, machine: Machine = thisMachine): OptionValues<T> {
  const entries = table.map((option) => [propertyName(option.name), defaultOf(option, machine)]);
  return Object.fromEntries(entries) as OptionValues<T>;
}
