/**
 * How values are written, on the command line and as strings of the config file.
 *
 * Each parser takes the whole text and throws a `SyntaxError` whose message says what is allowed.
 */

const TRUE_WORDS: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE_WORDS: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

export function parseBool(text: string): boolean {
  if (TRUE_WORDS.includes(text)) return true;
  if (FALSE_WORDS.includes(text)) return false;
  throw new SyntaxError("use true or false");
}

/** `_` may stand between digits, and after a prefix such as 0x. */
const INTEGER = /^[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9](_?\d)*)$/;

/** Parses a whole number of 64 bits, the nearest that is exact for one beyond 2^53: decimal, 0x10, 0o17, 0b1, 017 (octal too), with `_` between digits. */
export function parseInteger(text: string): number {
  if (!INTEGER.test(text)) throw new SyntaxError("use a whole number");
  const digits = text.replace(/^[+-]/, "").replaceAll("_", "");
  const literal = /^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits, value = Number(literal);
  if (value > Number.MAX_SAFE_INTEGER && BigInt(literal) >= 2n ** 63n) {
    throw new SyntaxError("value out of range");
  }
  // Nothing that is counted here gets near it.
  const exact = Math.min(value, Number.MAX_SAFE_INTEGER);
  return text.startsWith("-") && exact !== 0 ? -exact : exact;
}

const BYTES_PER_SUFFIX: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Parses a number of bytes: a whole number as above, or a decimal one with a suffix (64MiB, 1.5GB). */
export function parseBytes(text: string): number {
  const match = /^([+-]?\d+(?:\.\d+)?) ?([kmgt]?i?b)$/i.exec(text);
  const factor = match === null ? undefined : BYTES_PER_SUFFIX[match[2].toLowerCase()];
  if (match === null || factor === undefined) {
    if (INTEGER.test(text)) return parseInteger(text);
    throw new SyntaxError("use a number of bytes, or a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB");
  }
  const bytes = Number(match[1]) * factor;
  if (!Number.isSafeInteger(bytes)) throw new SyntaxError("not a whole number of bytes, or out of range");
  return bytes;
}

/** Formats bytes with the largest binary suffix that leaves a whole number: 65536 is 64KiB. */
export function formatBytes(bytes: number): string {
  for (const suffix of ["TiB", "GiB", "MiB", "KiB"]) {
    const factor = BYTES_PER_SUFFIX[suffix.toLowerCase()];
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${suffix}`;
  }
  return String(bytes);
}

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Parses one number, which may have a fraction and an exponent. */
export function parseFloat64(text: string): number {
  if (!FLOAT.test(text)) throw new SyntaxError("use a number, such as 0.5");
  return Number(text);
}

/** Parses numbers joined by commas; spaces around them do not matter. */
export function parseFloats(text: string): number[] {
  return text.split(",").map((part) => {
    const trimmed = part.trim();
    if (!FLOAT.test(trimmed)) throw new SyntaxError("use numbers joined by commas");
    return Number(trimmed);
  });
}
