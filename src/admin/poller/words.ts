/** Numbers in sentences for people. Tested in test/admin/poller/diagnosis_test.ts. */

const COUNTS = new Intl.NumberFormat("en-US");
const RATES = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** `1,204 messages`, `1 message`; the plural is the noun and an `s`. */
export function counted(count: number, noun: string): string {
  return `${COUNTS.format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `1,204/s`. */
export function perSecond(rate: number): string {
  return `${RATES.format(rate)}/s`;
}
