/**
 * The ranges of options: the check, and their texts in errors and help.
 *
 * Tested in test/options/check_values_test.ts.
 */
import { shortDuration } from "./duration.ts";
import { formatBytes } from "./literals.ts";
import type { Option, OptionValue } from "./option.ts";

/** Returns the error text for a value that is out of the option's range, or null. */
export function findRangeFault(option: Option, value: OptionValue): string | null {
  if (!("min" in option || "max" in option)) return null;
  const { min = -Infinity, max = Infinity, above = -Infinity } = option;
  const elements = Array.isArray(value) ? value : [value];
  const isFine = (element: number) => element >= min && element <= max && element > above;
  const bad = elements.find((element) => typeof element === "number" && !isFine(element));
  if (bad === undefined) return null;
  if (option.rangeError !== undefined) return option.rangeError.replace("%v", String(bad));
  return `--${option.name} must be ${describeRange(option)}, is ${formatNumber(option, bad as number)}`;
}

/** The nearest to `value` in the option's range, and the text that says so; null when it is in it. */
export function clamp(option: Option, value: OptionValue): { value: number; warning: string } | null {
  if (!("isClamped" in option) || !option.isClamped || typeof value !== "number") return null;
  const fault = findRangeFault(option, value);
  if (fault === null) return null;
  const { min = -Infinity, max = Infinity } = option;
  const nearest = Math.min(Math.max(value, min), max);
  return { value: nearest, warning: `${fault}; ${formatNumber(option, nearest)} is used` };
}

/** `at least 1ms`, `from 1 to 9`, or an empty text when every value is allowed. */
export function describeRange(option: Option): string {
  if (!("min" in option || "max" in option)) return "";
  const { min, max, above } = option;
  if (above !== undefined) return `above ${above}${max === undefined ? "" : `, at most ${max}`}`;
  if (min === undefined) return max === undefined ? "" : `at most ${formatNumber(option, max)}`;
  if (max === undefined) return `at least ${formatNumber(option, min)}`;
  return `from ${formatNumber(option, min)} to ${formatNumber(option, max)}`;
}

/** Formats one number in the unit of `option`, as the command line would take it. */
export function formatNumber(option: Option, value: number): string {
  if (option.kind === "duration") return shortDuration(value);
  return option.kind === "bytes" ? formatBytes(value) : String(value);
}
