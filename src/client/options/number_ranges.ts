/**
 * The options that are numbers: default, smallest and largest value.
 *
 * Tested in test/client/options/options_test.ts.
 */

/** Default, min, max, and whether fractions are allowed (of durations they always are). */
export type NumberRange = readonly [preset: number, min: number, max: number, isFraction?: boolean];

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** The longest time that timers can wait. */
const MAX_TIMER_MS = 2_147_483_647;
const GIB = 1_073_741_824;

/** Of all clients. */
export const CONNECTION_NUMBERS = {
  dialTimeoutMs: [1_000, 1, MAX_TIMER_MS],
  readTimeoutMs: [60_000, 100, 300_000],
  writeTimeoutMs: [1_000, 100, 300_000],
  heartbeatIntervalMs: [30_000, 1_000, MAX_TIMER_MS],
  sampleRate: [0, 0, 99],
  deflateLevel: [6, 1, 9],
  outputBufferSize: [16_384, -1, MAX_TIMER_MS],
  outputBufferTimeoutMs: [250, -1, MAX_TIMER_MS],
  msgTimeoutMs: [0, 0, MAX_TIMER_MS],
  lookupdPollIntervalMs: [60_000, 10, 300_000],
  lookupdPollJitter: [0.3, 0, 1, true],
  lookupdPollTimeoutMs: [60_000, 1, MAX_TIMER_MS],
  reconnectDelayMs: [100, 1, 60_000],
  maxFrameBytes: [GIB / 4, 1_024, 2 * GIB - 1],
} as const satisfies Readonly<Record<string, NumberRange>>;

/** Of consumers. */
export const CONSUMER_NUMBERS = {
  maxInFlight: [1, 0, MAX_TIMER_MS],
  maxAttempts: [0, 0, 65_535],
  defaultRequeueDelayMs: [90_000, 0, HOUR_MS],
  maxRequeueDelayMs: [900_000, 0, HOUR_MS],
  maxBackoffMs: [120_000, 0, HOUR_MS],
  backoffMultiplierMs: [1_000, 0, HOUR_MS],
  closeTimeoutMs: [30_000, 0, MAX_TIMER_MS],
} as const satisfies Readonly<Record<string, NumberRange>>;

/** Of producers. */
export const PRODUCER_NUMBERS = {
  publishTimeoutMs: [15_000, 1, DAY_MS],
  maxBatchMessages: [10_000, 1, 1_000_000],
  maxBatchBytes: [1_048_576, 1, GIB],
  maxPendingBytes: [GIB / 4, 1, 8 * GIB],
  closeTimeoutMs: [30_000, 0, MAX_TIMER_MS],
} as const satisfies Readonly<Record<string, NumberRange>>;
