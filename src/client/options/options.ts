/** The options of producers and consumers: what they mean, their defaults, and what values they take. */
import { isValidName } from "../../protocol/names.ts";
import type { Codec } from "../codec.ts";
import { OptionError } from "../errors.ts";
import { hostname } from "../runtime.ts";
import { CLIENT_VERSION } from "../version.ts";
import { CONNECTION_NUMBERS, CONSUMER_NUMBERS, type NumberRange, PRODUCER_NUMBERS } from "./number_ranges.ts";

/** How severe a log line is. */
export type LogLevel = "debug" | "info" | "warning" | "error";
/** Takes the log lines of a producer or consumer. */
export type Log = (level: LogLevel, text: string) => void;

/** TLS towards nodes. Texts are PEM; files are read at each connection. */
export interface TlsOptions {
  /** Certificates of authorities to trust instead of the system's. */
  ca?: string;
  /** The client's certificate, where the node asks for one. */
  cert?: string;
  /** The key of `cert`. */
  key?: string;
  /** Path of a file in place of `ca`. */
  caFile?: string;
  /** Path of a file in place of `cert`. */
  certFile?: string;
  /** Path of a file in place of `key`. */
  keyFile?: string;
  /** False accepts any certificate of a node. Default true. */
  rejectUnauthorized?: boolean;
  /** The oldest version to speak. Default: the runtime's. */
  minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  /** The name the certificate must have. Default: the host of the node's address. */
  serverName?: string;
}

/** Where nodes are, and how to talk to them. Durations are milliseconds. */
export interface ConnectionOptions {
  /** Nodes to connect to, as `host:port`. */
  nsqd?: string | readonly string[];
  /** Lookupds to ask for nodes, as `host:port` of their HTTP API, or as URLs. */
  lookupd?: string | readonly string[];
  /** For a connection to be made, its handshake included. Default 1,000; the handshake gets at least 5,000. */
  dialTimeoutMs?: number;
  /** A connection that was silent for so long is given up. 100 to 300,000, default 60,000. */
  readTimeoutMs?: number;
  /** A connection that took no byte for so long is given up. 100 to 300,000, default 1,000. */
  writeTimeoutMs?: number;
  /** The local `host:port` to connect from; port 0 for any. Default: the system's choice. */
  localAddress?: string;
  /** How often nodes send a heartbeat. At most `readTimeoutMs`; default 30,000. */
  heartbeatIntervalMs?: number;
  /** Shown by nodes. Default: the host name up to its first dot. */
  clientId?: string;
  /** Shown by nodes. Default: this machine's. */
  hostname?: string;
  /** Shown by nodes. Default `nsq-client/<version>`. */
  userAgent?: string;
  /** Take only this percentage of the messages; 0 to 99, default 0, which takes all. */
  sampleRate?: number;
  /** TLS; true with the defaults. Default false. */
  tls?: boolean | TlsOptions;
  /** Compress with deflate. Default false. */
  deflate?: boolean;
  /** 1 to 9, default 6. */
  deflateLevel?: number;
  /** Compress with snappy. Default false. */
  snappy?: boolean;
  /** Bytes of the node's output buffer for this client. Default 16,384. */
  outputBufferSize?: number;
  /** How long the node may hold output back. Default 250. */
  outputBufferTimeoutMs?: number;
  /** After which a node takes a message back. Default 0: the node's own. */
  msgTimeoutMs?: number;
  /** For nodes that want AUTH. Default "", none. */
  authSecret?: string;
  /** The region of this client, for nodes that prefer near consumers. Default "". */
  topologyRegion?: string;
  /** The zone of this client. Default "". */
  topologyZone?: string;
  /** How often lookupds are asked, and the longest pause between attempts to connect. 10 to 300,000, default 60,000. */
  lookupdPollIntervalMs?: number;
  /** Share of the interval that is random, so that clients do not ask all at once. 0 to 1, default 0.3. */
  lookupdPollJitter?: number;
  /** For a lookupd's answer. Default 60,000. */
  lookupdPollTimeoutMs?: number;
  /** Send `authSecret` to lookupds too, as `Authorization: Bearer`. Default true. */
  lookupdAuthorization?: boolean;
  /** The first pause between attempts to connect to a node; it doubles. 1 to 60,000, default 100. */
  reconnectDelayMs?: number;
  /** The largest frame to take from a node, bytes. Default 268,435,456. */
  maxFrameBytes?: number;
  /** Log lines, without time or names. Default: none. */
  log?: Log;
}

/** Options of a consumer. Durations are milliseconds. */
export interface ConsumerOptions<T = Uint8Array> extends ConnectionOptions {
  /** Messages in hand at a time, over all nodes; 0 pauses. Default 1. */
  maxInFlight?: number;
  /** What `message.value` is. Default `bytes`. */
  codec?: Codec<T>;
  /** Deliveries of a message before it is given up; 0 to 65,535. Above 0 `onGiveUp` must say what then. Default 0: never. */
  maxAttempts?: number;
  /** Gets a message that was delivered more than `maxAttempts` times; it is finished after that. */
  onGiveUp?: (message: GivenUp) => void | Promise<void>;
  /** Gets a message whose body does not decode; then it is finished unless answered. Default: requeued. */
  onUndecodable?: (message: GivenUp, error: Error) => void | Promise<void>;
  /** Delay of a requeued message by attempt: this times its attempts. 0 to 3,600,000, default 90,000. */
  defaultRequeueDelayMs?: number;
  /** The longest such delay. 0 to 3,600,000, default 900,000. */
  maxRequeueDelayMs?: number;
  /** How the consumer's backoff grows. Default `exponential`. */
  backoffStrategy?: "exponential" | "full_jitter";
  /** The longest backoff; 0 for none. 0 to 3,600,000, default 120,000. */
  maxBackoffMs?: number;
  /** The unit of backoff, which doubles. 0 to 3,600,000, default 1,000. */
  backoffMultiplierMs?: number;
  /** With more nodes than slots: how long a node without messages keeps one. 1,000 to 300,000. Default: what gives each node a turn within a second. */
  lowRdyIdleTimeoutMs?: number;
  /** With more nodes than slots: how long any node keeps one. 1,000 to 300,000. Default as above. */
  lowRdyTimeoutMs?: number;
  /** How often that is looked at. 1 to 5,000. Default as above. */
  rdyRedistributeIntervalMs?: number;
  /** How long `close()` waits for messages in hand. Default 30,000. */
  closeTimeoutMs?: number;
  /** `auto` touches a message while its handler of `run()` works, up to the node's maximum. Default `manual`. */
  touch?: "auto" | "manual";
}

/** What callbacks of a consumer's options get: a message as it came, before any codec. */
export interface GivenUp {
  /** 16 hex digits. */
  readonly id: string;
  /** The body as it came. */
  readonly body: Uint8Array;
  /** Deliveries so far, this one included. */
  readonly attempts: number;
  /** When it was published, ns since the Unix epoch. */
  readonly timestampNs: bigint;
  /** The node it came from, as `host:port`. */
  readonly nodeAddress: string;
  /** Whether it was finished or requeued, or is no longer ours. */
  readonly isAnswered: boolean;
  /** Tells the node that it is done. False when it is no longer ours. */
  finish(): boolean;
  /** Gives it back. False when it is no longer ours. */
  requeue(options?: { delay?: number; backoff?: boolean }): boolean;
}

/** Options of a producer. Durations are milliseconds. */
export interface ProducerOptions<T = Uint8Array | string> extends ConnectionOptions {
  /** Makes bodies of values. Without it values are bytes or text. */
  codec?: Codec<T>;
  /** For a publish to be confirmed. 1 to 86,400,000, default 15,000. */
  publishTimeoutMs?: number;
  /** Messages of one MPUB at most. Default 10,000. */
  maxBatchMessages?: number;
  /** Bytes of bodies of one MPUB at most; a larger body goes by itself. Default 1,048,576. */
  maxBatchBytes?: number;
  /** Bytes of bodies that may wait for an answer; above it publishes are refused. Default 268,435,456. */
  maxPendingBytes?: number;
  /** Publish again what was sent to a node that went away before it answered. May duplicate. Default false. */
  resendUnconfirmed?: boolean;
  /** How long `close()` waits for answers. Default 30,000. */
  closeTimeoutMs?: number;
}

/** Options of connections with every default filled in. */
export type Connecting =
  & Required<Omit<ConnectionOptions, "tls" | "nsqd" | "lookupd" | "localAddress">>
  & { readonly nsqd: readonly string[]; readonly lookupd: readonly string[] }
  & { readonly tls: TlsOptions | null; readonly localAddress: string };

type Codecless<O> = Omit<O, keyof ConnectionOptions | "codec" | "onGiveUp" | "onUndecodable">;

/** Options of a consumer with every default filled in; null where the client chooses by itself. */
export type Consuming =
  & Connecting
  & Required<
    Omit<
      Codecless<ConsumerOptions>,
      "lowRdyIdleTimeoutMs" | "lowRdyTimeoutMs" | "rdyRedistributeIntervalMs"
    >
  >
  & {
    readonly lowRdyIdleTimeoutMs: number | null;
    readonly lowRdyTimeoutMs: number | null;
    readonly rdyRedistributeIntervalMs: number | null;
  };

/** Options of a producer with every default filled in. */
export type Producing = Connecting & Required<Codecless<ProducerOptions>>;

/** Fills in what all clients share. @throws {OptionError} */
export function resolveConnecting(options: ConnectionOptions): Connecting {
  const host = options.hostname ?? hostname();
  const resolved: Connecting = {
    ...numbers(options, CONNECTION_NUMBERS),
    nsqd: addresses("nsqd", options.nsqd, true),
    lookupd: addresses("lookupd", options.lookupd, false),
    localAddress: options.localAddress ?? "",
    clientId: options.clientId ?? host.split(".")[0],
    hostname: host,
    userAgent: options.userAgent ?? `nsq-client/${CLIENT_VERSION}`,
    tls: options.tls === true ? {} : options.tls || null,
    deflate: options.deflate ?? false,
    snappy: options.snappy ?? false,
    authSecret: options.authSecret ?? "",
    topologyRegion: options.topologyRegion ?? "",
    topologyZone: options.topologyZone ?? "",
    lookupdAuthorization: options.lookupdAuthorization ?? true,
    log: options.log ?? (() => {}),
  };
  if (resolved.heartbeatIntervalMs > resolved.readTimeoutMs) {
    throw new OptionError(
      `heartbeatIntervalMs ${resolved.heartbeatIntervalMs} must be at most readTimeoutMs ${resolved.readTimeoutMs}`,
    );
  }
  if (resolved.deflate && resolved.snappy) throw new OptionError("deflate and snappy exclude each other");
  if (resolved.nsqd.length === 0 && resolved.lookupd.length === 0) {
    throw new OptionError("nsqd or lookupd must name at least one address");
  }
  if (resolved.localAddress !== "") splitAddress("localAddress", resolved.localAddress);
  return resolved;
}

/** Fills in a consumer's options. @throws {OptionError} */
export function resolveConsuming<T>(options: ConsumerOptions<T>): Consuming {
  const resolved: Consuming = {
    ...resolveConnecting(options),
    ...numbers(options, CONSUMER_NUMBERS),
    lowRdyIdleTimeoutMs: optional(options, "lowRdyIdleTimeoutMs", [0, 1_000, 300_000]),
    lowRdyTimeoutMs: optional(options, "lowRdyTimeoutMs", [0, 1_000, 300_000]),
    rdyRedistributeIntervalMs: optional(options, "rdyRedistributeIntervalMs", [0, 1, 5_000]),
    backoffStrategy: options.backoffStrategy ?? "exponential",
    touch: options.touch ?? "manual",
  };
  if (!["exponential", "full_jitter"].includes(resolved.backoffStrategy)) {
    throw new OptionError(
      `backoffStrategy is "${resolved.backoffStrategy}", must be exponential or full_jitter`,
    );
  }
  if (!["auto", "manual"].includes(resolved.touch)) {
    throw new OptionError(`touch is "${resolved.touch}", must be auto or manual`);
  }
  if (resolved.maxAttempts > 0 && options.onGiveUp === undefined) {
    throw new OptionError(
      "maxAttempts needs onGiveUp, which says what becomes of a message that is given up",
    );
  }
  return resolved;
}

/** Fills in a producer's options. @throws {OptionError} */
export function resolveProducing<T>(options: ProducerOptions<T>): Producing {
  return {
    ...resolveConnecting(options),
    ...numbers(options, PRODUCER_NUMBERS),
    resendUnconfirmed: options.resendUnconfirmed ?? false,
  };
}

/** @throws {OptionError} unless `name` may name a topic or a channel, which `kind` says */
export function checkName(kind: "topic" | "channel", name: string): void {
  if (isValidName(name)) return;
  throw new OptionError(
    `${kind} name ${
      JSON.stringify(name)
    } is not valid: 1 to 64 of . _ - letters and digits, then perhaps #ephemeral`,
  );
}

/** Splits `host:port`; an IPv6 host has brackets. @throws {OptionError} naming `option` */
export function splitAddress(option: string, address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(address);
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || port > 65_535) {
    throw new OptionError(`${option}: "${address}" is not of the form host:port, with a port up to 65535`);
  }
  return { host: match[1] ?? match[2], port };
}

function addresses(
  option: "nsqd" | "lookupd",
  given: string | readonly string[] | undefined,
  isPlain: boolean,
): readonly string[] {
  const list = given === undefined ? [] : typeof given === "string" ? [given] : [...given];
  for (const address of list) {
    if (isPlain || !address.includes("://")) splitAddress(option, address);
    else if (!URL.canParse(address)) throw new OptionError(`${option}: "${address}" is no URL`);
  }
  return [...new Set(list)];
}

function numbers<K extends string>(
  given: object,
  ranges: Readonly<Record<K, NumberRange>>,
): Record<K, number> {
  const resolved = {} as Record<K, number>;
  for (const name of Object.keys(ranges) as K[]) {
    const value = (given as Partial<Record<K, unknown>>)[name] ?? ranges[name][0];
    checkNumber(name, value, ranges[name]);
    resolved[name] = value as number;
  }
  return resolved;
}

function optional<K extends string>(
  given: Partial<Record<K, number>>,
  name: K,
  range: NumberRange,
): number | null {
  const value = given[name];
  if (value === undefined) return null;
  checkNumber(name, value, range);
  return value;
}

/** @throws {OptionError} unless `value` lies in the range */
export function checkNumber(name: string, value: unknown, [, min, max, isFraction]: NumberRange): void {
  if (typeof value !== "number" || Number.isNaN(value)) {
    throw new OptionError(`${name} is ${String(value)}, must be a number`);
  }
  if (value < min || value > max) throw new OptionError(`${name} is ${value}, must be ${min} to ${max}`);
  // Durations may have a fraction; counts and bytes may not.
  if (isFraction !== true && !name.endsWith("Ms") && !Number.isInteger(value)) {
    throw new OptionError(`${name} is ${value}, must be a whole number`);
  }
}
