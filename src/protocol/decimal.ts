/**
 * Decimal parameters of commands: the count of RDY, the timeouts of REQ and DPUB.
 *
 * A parameter is ASCII digits only, without sign or space, and an empty one is 0. nsqd counts in 64
 * bits and lets them overflow: 18446744073709551617 is 1, and what has the top bit set is negative.
 */

/** Up to here any digits are exact in a `number`, and a multiplication by ten cannot overflow one. */
const MAX_EXACT_DIGITS = 15;

/** 10^64 is a multiple of 2^64, so digits further left do not change the value modulo 2^64. */
const MAX_SIGNIFICANT_DIGITS = 64;

const NANOSECONDS_PER_MS = 1_000_000;

/** Largest whole number of milliseconds that a signed 64-bit count of nanoseconds can hold. */
const MAX_INT64_NS_IN_MS = 9_223_372_036_854;

/**
 * Parses the digits `buf[start, end)`.
 *
 * @returns the value modulo 2^64, exact up to 2^53 and rounded above; -1 when it is negative as a
 * signed 64-bit integer; NaN when a byte is not a digit
 */
export function parseDecimal(buf: Uint8Array, start: number, end: number): number {
  if (end - start > MAX_EXACT_DIGITS) return parseLong(buf, start, end);
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = buf[i] - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

function parseLong(buf: Uint8Array, start: number, end: number): number {
  const value = parseUint64(buf, start, end);
  if (value === undefined) return NaN;
  const signed = BigInt.asIntN(64, value);
  return signed < 0n ? -1 : Number(signed);
}

/**
 * Parses the digits `buf[start, end)` as a timeout in milliseconds that is kept in nanoseconds.
 *
 * nsqd multiplies by 10^6 in 64 bits, and here too an overflow shows: a timeout of 9,223,372,036,855
 * ms is negative, which REQ takes as 0 and DPUB refuses.
 *
 * @returns the timeout in milliseconds after that overflow, then possibly with a fraction; -1 when
 * it is negative; NaN when a byte is not a digit
 */
export function parseTimeoutMs(buf: Uint8Array, start: number, end: number): number {
  const timeoutMs = parseDecimal(buf, start, end);
  if (timeoutMs >= 0 && timeoutMs <= MAX_INT64_NS_IN_MS) return timeoutMs;
  const exactMs = parseUint64(buf, start, end);
  if (exactMs === undefined) return NaN;
  const timeoutNs = BigInt.asIntN(64, exactMs * BigInt(NANOSECONDS_PER_MS));
  return timeoutNs < 0n ? -1 : Number(timeoutNs) / NANOSECONDS_PER_MS;
}

/**
 * Parses the digits `buf[start, end)` exactly, for the text of an error. `BigInt.asIntN(64, value)`
 * is the signed view.
 *
 * @returns the value modulo 2^64, or undefined when a byte is not a digit
 */
export function parseUint64(buf: Uint8Array, start: number, end: number): bigint | undefined {
  let digits = "";
  const firstSignificant = end - MAX_SIGNIFICANT_DIGITS;
  for (let i = start; i < end; i++) {
    const digit = buf[i] - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    if (i >= firstSignificant) digits += digit;
  }
  return BigInt.asUintN(64, BigInt(digits));
}
