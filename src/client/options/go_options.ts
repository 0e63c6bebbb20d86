/**
 * The names that options have in the official Go client, and how `--consumer-opt` and `--producer-opt` write
 * them: `name,value`, or the name of a boolean alone.
 */
import { formatDuration, parseDuration } from "../../options/duration.ts";
import { parseBool } from "../../options/literals.ts";
import { OptionError } from "../errors.ts";
import type { ConsumerOptions, TlsOptions } from "./options.ts";

/** The options that Go names set: those of a consumer, of which a producer takes what it has. */
export type GoOptions = Omit<ConsumerOptions<never>, "codec" | "onGiveUp" | "onUndecodable">;

type Kind = "duration" | "integer" | "fraction" | "boolean" | "text";

interface GoOption {
  readonly kind: Kind;
  readonly min?: number;
  readonly max?: number;
  /** The words a text may be. */
  readonly words?: readonly string[];
  set(options: GoOptions, value: never): void;
}

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
const TLS_VERSIONS: Readonly<Record<string, TlsOptions["minVersion"]>> = {
  "ssl3.0": "TLSv1",
  "tls1.0": "TLSv1",
  "tls1.1": "TLSv1.1",
  "tls1.2": "TLSv1.2",
  "tls1.3": "TLSv1.3",
};

function to<K extends keyof GoOptions>(
  key: K,
  kind: Kind,
  range: { min?: number; max?: number; words?: readonly string[] } = {},
): GoOption {
  return {
    kind,
    ...range,
    set: (options: GoOptions, value: NonNullable<GoOptions[K]>) => options[key] = value,
  };
}

/** TLS options are kept where they belong; only `tls_v1` turns TLS on. */
const tlsOptions = new WeakMap<GoOptions, { isOn: boolean; tls: TlsOptions }>();

function setTls(options: GoOptions, change: (state: { isOn: boolean; tls: TlsOptions }) => void): void {
  const given = options.tls;
  const state = tlsOptions.get(options) ??
    { isOn: given !== undefined && given !== false, tls: typeof given === "object" ? { ...given } : {} };
  tlsOptions.set(options, state);
  change(state);
  options.tls = state.isOn ? state.tls : false;
}

function toTls(
  kind: Kind,
  change: (tls: TlsOptions, value: never) => void,
  words?: readonly string[],
): GoOption {
  return { kind, words, set: (options, value) => setTls(options, ({ tls }) => change(tls, value)) };
}

const GO_OPTIONS: Readonly<Record<string, GoOption>> = {
  dial_timeout: to("dialTimeoutMs", "duration"),
  read_timeout: to("readTimeoutMs", "duration", { min: 100, max: 5 * MINUTE }),
  write_timeout: to("writeTimeoutMs", "duration", { min: 100, max: 5 * MINUTE }),
  local_addr: to("localAddress", "text"),
  lookupd_poll_interval: to("lookupdPollIntervalMs", "duration", { min: 10, max: 5 * MINUTE }),
  lookupd_poll_jitter: to("lookupdPollJitter", "fraction", { min: 0, max: 1 }),
  lookupd_poll_timeout: to("lookupdPollTimeoutMs", "duration"),
  max_requeue_delay: to("maxRequeueDelayMs", "duration", { min: 0, max: HOUR }),
  default_requeue_delay: to("defaultRequeueDelayMs", "duration", { min: 0, max: HOUR }),
  backoff_strategy: to("backoffStrategy", "text", { words: ["exponential", "full_jitter"] }),
  max_backoff_duration: to("maxBackoffMs", "duration", { min: 0, max: HOUR }),
  backoff_multiplier: to("backoffMultiplierMs", "duration", { min: 0, max: HOUR }),
  max_attempts: to("maxAttempts", "integer", { min: 0, max: 65_535 }),
  low_rdy_idle_timeout: to("lowRdyIdleTimeoutMs", "duration", { min: SECOND, max: 5 * MINUTE }),
  low_rdy_timeout: to("lowRdyTimeoutMs", "duration", { min: SECOND, max: 5 * MINUTE }),
  rdy_redistribute_interval: to("rdyRedistributeIntervalMs", "duration", { min: 1, max: 5 * SECOND }),
  client_id: to("clientId", "text"),
  hostname: to("hostname", "text"),
  user_agent: to("userAgent", "text"),
  heartbeat_interval: to("heartbeatIntervalMs", "duration"),
  sample_rate: to("sampleRate", "integer", { min: 0, max: 99 }),
  tls_v1: {
    kind: "boolean",
    set: (options, value: boolean) => setTls(options, (state) => state.isOn = value),
  },
  tls_root_ca_file: toTls("text", (tls, path: string) => tls.caFile = path),
  tls_cert: toTls("text", (tls, path: string) => tls.certFile = path),
  tls_key: toTls("text", (tls, path: string) => tls.keyFile = path),
  tls_insecure_skip_verify: toTls("boolean", (tls, isOn: boolean) => tls.rejectUnauthorized = !isOn),
  tls_min_version: toTls(
    "text",
    (tls, word: string) => tls.minVersion = TLS_VERSIONS[word],
    Object.keys(TLS_VERSIONS),
  ),
  deflate: to("deflate", "boolean"),
  deflate_level: to("deflateLevel", "integer", { min: 1, max: 9 }),
  snappy: to("snappy", "boolean"),
  output_buffer_size: to("outputBufferSize", "integer"),
  output_buffer_timeout: to("outputBufferTimeoutMs", "duration"),
  max_in_flight: to("maxInFlight", "integer", { min: 0 }),
  msg_timeout: to("msgTimeoutMs", "duration", { min: 0 }),
  auth_secret: to("authSecret", "text"),
  skip_lookupd_authorization: to("lookupdAuthorization", "boolean"),
};

/** The names, with `_`. */
export const GO_OPTION_NAMES: readonly string[] = Object.keys(GO_OPTIONS);

/**
 * Sets the option that `text` names, such as `max_attempts,5`, `tls-v1` or `msg_timeout,30s`.
 *
 *     const options: GoOptions = { lookupd: "10.0.0.1:4161" };
 *     applyGoOption(options, "msg_timeout,30s");
 *
 * @throws {OptionError} in the words of the official Go client, such as `invalid option nope`
 */
export function applyGoOption(options: GoOptions, text: string): void {
  const comma = text.indexOf(",");
  const given = comma < 0 ? text : text.slice(0, comma);
  const name = given.replaceAll("-", "_");
  if (!Object.hasOwn(GO_OPTIONS, name)) throw new OptionError(`invalid option ${given}`);
  const option = GO_OPTIONS[name];
  const value = comma < 0 ? "true" : text.slice(comma + 1);
  option.set(options, coerce(given, option, value) as never);
}

function coerce(name: string, { kind, min, max, words }: GoOption, text: string): string | number | boolean {
  const fail = (reason: string) => new OptionError(`failed to coerce option ${name} (${text}) - ${reason}`);
  if (kind === "text") {
    if (words !== undefined && !words.includes(text)) throw fail(`must be one of ${words.join(", ")}`);
    return text;
  }
  let value: number;
  try {
    if (kind === "boolean") return parseBool(text);
    value = kind === "duration" ? parseDuration(text) : parseNumber(text, kind);
  } catch (cause) {
    throw fail((cause as Error).message);
  }
  const show = (limit: number) => kind === "duration" ? formatDuration(limit) : String(limit);
  if (min !== undefined && value < min) {
    throw new OptionError(`invalid ${name} ! ${show(value)} < ${show(min)}`);
  }
  if (max !== undefined && value > max) {
    throw new OptionError(`invalid ${name} ! ${show(value)} > ${show(max)}`);
  }
  return value;
}

function parseNumber(text: string, kind: "integer" | "fraction"): number {
  const form = kind === "integer" ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  if (!form.test(text)) throw new SyntaxError(kind === "integer" ? "use a whole number" : "use a number");
  return Number(text);
}
