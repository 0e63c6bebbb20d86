/**
 * IDENTIFY: reads what a client asks for, settles it against what the server allows, and writes the
 * answer. Applying the settings to the connection, and the upgrades, are the connection's work.
 *
 * The body is decoded as nsqd decodes it, and that is stricter and looser than `JSON.parse()` alone:
 * an integer may not be written `1e3` or `1000.0`, every duplicate of a key is type-checked, a
 * duplicate that is `null` leaves the earlier value, and keys match in any letter case. So
 * `json_members.ts` gives the members as source text.
 */
import { bothCompressions, type IdentifyField, invalidIdentifyField, undecodableIdentify } from "./errors.ts";
import { encodeJson } from "./json.ts";
import { jsonMembers, parseJsonString } from "./json_members.ts";

/** How often a connection gets a heartbeat until IDENTIFY says otherwise, in ms. */
export const DEFAULT_HEARTBEAT_INTERVAL_MS = 30_000;
/** Size of a connection's output buffer until IDENTIFY says otherwise, in bytes. */
export const DEFAULT_OUTPUT_BUFFER_SIZE = 16_384;

const MIN_HEARTBEAT_INTERVAL_MS = 1_000;
const MIN_OUTPUT_BUFFER_SIZE = 64;
const MIN_MSG_TIMEOUT_MS = 1_000;
const MAX_SAMPLE_RATE = 99;
const DEFAULT_DEFLATE_LEVEL = 6;

/** "-9223372036854775808"; JSON has no leading zeros, so a longer integer is out of range. */
const MAX_INT64_TEXT_LENGTH = 20;

/**
 * What the body of IDENTIFY says, before any check of ranges. Absent fields are "", false or 0.
 * Integers are `bigint` because an error repeats them exactly as they came.
 */
export interface IdentifyRequest {
  clientId: string;
  hostname: string;
  userAgent: string;
  featureNegotiation: boolean;
  heartbeatIntervalMs: bigint;
  outputBufferSize: bigint;
  outputBufferTimeoutMs: bigint;
  tlsV1: boolean;
  snappy: boolean;
  deflate: boolean;
  deflateLevel: bigint;
  sampleRate: bigint;
  msgTimeoutMs: bigint;
  topologyRegion: string;
  topologyZone: string;
}

/** What the server offers and the bounds of what a client may ask for. */
export interface IdentifyLimits {
  maxHeartbeatIntervalMs: number;
  /** Bytes. */
  maxOutputBufferSize: number;
  minOutputBufferTimeoutMs: number;
  maxOutputBufferTimeoutMs: number;
  /** Used until a client asks for another. */
  outputBufferTimeoutMs: number;
  maxMsgTimeoutMs: number;
  /** Used until a client asks for another; may lie outside the bounds. */
  msgTimeoutMs: number;
  maxRdyCount: number;
  /** 1..9 */
  maxDeflateLevel: number;
  deflateEnabled: boolean;
  snappyEnabled: boolean;
  /** Whether the server has a certificate. */
  tlsEnabled: boolean;
  /** Whether an auth server is configured. */
  authRequired: boolean;
  version: string;
  /** Of the server. */
  topologyRegion: string;
  /** Of the server. */
  topologyZone: string;
}

/** What a connection applies after IDENTIFY. */
export interface IdentifySettings {
  clientId: string;
  hostname: string;
  userAgent: string;
  /** Whether the answer is JSON; without it there is no upgrade either. */
  featureNegotiation: boolean;
  /** 0 = no heartbeats and no deadlines. */
  heartbeatIntervalMs: number;
  /** Bytes; 1 = every write goes straight out. */
  outputBufferSize: number;
  /** 0 = no timed flush. */
  outputBufferTimeoutMs: number;
  /** Percent, 0..99; 0 = off. */
  sampleRate: number;
  msgTimeoutMs: number;
  tlsV1: boolean;
  deflate: boolean;
  /** 1..9; set also when `deflate` is false. */
  deflateLevel: number;
  snappy: boolean;
  /** Of the client. */
  topologyRegion: string;
  /** Of the client. */
  topologyZone: string;
}

/**
 * Returns the settings of a connection that has not sent IDENTIFY. `peerIp` stands in for its client
 * id and hostname, and is "" on a Unix socket.
 */
export function initialIdentifySettings(limits: IdentifyLimits, peerIp: string): IdentifySettings {
  return {
    clientId: peerIp,
    hostname: peerIp,
    userAgent: "",
    featureNegotiation: false,
    heartbeatIntervalMs: DEFAULT_HEARTBEAT_INTERVAL_MS,
    outputBufferSize: DEFAULT_OUTPUT_BUFFER_SIZE,
    outputBufferTimeoutMs: limits.outputBufferTimeoutMs,
    sampleRate: 0,
    msgTimeoutMs: limits.msgTimeoutMs,
    tlsV1: false,
    deflate: false,
    deflateLevel: Math.min(DEFAULT_DEFLATE_LEVEL, limits.maxDeflateLevel),
    snappy: false,
    topologyRegion: "",
    topologyZone: "",
  };
}

/**
 * Decodes the JSON body of IDENTIFY: an object, or `null`, which asks for nothing.
 *
 * @throws {FatalClientError} E_BAD_BODY when it is not that, when it nests deeper than 10,000, or
 * when a known field has a value of another type or an integer outside its type
 */
export function parseIdentify(body: Uint8Array): IdentifyRequest {
  const request = emptyRequest();
  let members;
  try {
    members = jsonMembers(body);
  } catch (error) {
    throw undecodableIdentify(error);
  }
  for (const [key, source] of members) {
    if (source !== "null") FIELDS.get(foldCase(key))?.(request, source);
  }
  return request;
}

/**
 * Settles `request` against `limits`. `current` is what the connection has now; a field that the
 * request leaves at 0 keeps the current interval, timeout or size, but names are overwritten.
 *
 * @throws {FatalClientError} E_BAD_BODY for the first field out of range, E_IDENTIFY_FAILED when
 * both compressions would take effect
 */
export function negotiateIdentify(
  request: IdentifyRequest,
  limits: IdentifyLimits,
  current: IdentifySettings,
): IdentifySettings {
  // The order of these four is the order in which errors are found.
  const heartbeatIntervalMs = negotiateHeartbeat(request, limits, current);
  const output = negotiateOutputBuffer(request, limits, current);
  const sampleRate = inRange("sample rate", request.sampleRate, 0, MAX_SAMPLE_RATE);
  const msgTimeoutMs = request.msgTimeoutMs === 0n
    ? current.msgTimeoutMs
    : inRange("msg timeout", request.msgTimeoutMs, MIN_MSG_TIMEOUT_MS, limits.maxMsgTimeoutMs);
  return {
    clientId: request.clientId,
    hostname: request.hostname,
    userAgent: request.userAgent,
    featureNegotiation: request.featureNegotiation,
    heartbeatIntervalMs,
    ...output,
    sampleRate,
    msgTimeoutMs,
    ...negotiateUpgrades(request, limits),
    topologyRegion: request.topologyRegion,
    topologyZone: request.topologyZone,
  };
}

/**
 * Returns the data of the response frame: `OK`, or the JSON that tells what was settled when the
 * client negotiates features. The topology in it is the server's.
 */
export function encodeIdentifyResponse(
  settings: IdentifySettings,
  limits: IdentifyLimits,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (!settings.featureNegotiation) return encoder.encode("OK");
  const response = {
    max_rdy_count: limits.maxRdyCount,
    version: limits.version,
    max_msg_timeout: Math.trunc(limits.maxMsgTimeoutMs),
    msg_timeout: Math.trunc(settings.msgTimeoutMs),
    tls_v1: settings.tlsV1,
    deflate: settings.deflate,
    deflate_level: settings.deflateLevel,
    max_deflate_level: limits.maxDeflateLevel,
    snappy: settings.snappy,
    sample_rate: settings.sampleRate,
    auth_required: limits.authRequired,
    output_buffer_size: settings.outputBufferSize,
    output_buffer_timeout: Math.trunc(settings.outputBufferTimeoutMs),
    topology_region: limits.topologyRegion,
    topology_zone: limits.topologyZone,
  };
  return encoder.encode(encodeJson(response));
}

function negotiateHeartbeat(
  request: IdentifyRequest,
  limits: IdentifyLimits,
  current: IdentifySettings,
): number {
  const wanted = request.heartbeatIntervalMs;
  if (wanted === -1n) return 0;
  if (wanted === 0n) return current.heartbeatIntervalMs;
  return inRange("heartbeat interval", wanted, MIN_HEARTBEAT_INTERVAL_MS, limits.maxHeartbeatIntervalMs);
}

function negotiateOutputBuffer(
  request: IdentifyRequest,
  limits: IdentifyLimits,
  current: IdentifySettings,
): Pick<IdentifySettings, "outputBufferSize" | "outputBufferTimeoutMs"> {
  const { outputBufferSize: size, outputBufferTimeoutMs: timeoutMs } = request;
  const { minOutputBufferTimeoutMs: minMs, maxOutputBufferTimeoutMs: maxMs } = limits;
  let outputBufferTimeoutMs = current.outputBufferTimeoutMs;
  if (timeoutMs === -1n) outputBufferTimeoutMs = 0;
  else if (timeoutMs !== 0n) {
    outputBufferTimeoutMs = inRange("output buffer timeout", timeoutMs, minMs, maxMs);
  }
  if (size === -1n) return { outputBufferSize: 1, outputBufferTimeoutMs: 0 };
  if (size === 0n) return { outputBufferSize: current.outputBufferSize, outputBufferTimeoutMs };
  return {
    outputBufferSize: inRange("output buffer size", size, MIN_OUTPUT_BUFFER_SIZE, limits.maxOutputBufferSize),
    outputBufferTimeoutMs,
  };
}

function negotiateUpgrades(
  request: IdentifyRequest,
  limits: IdentifyLimits,
): Pick<IdentifySettings, "tlsV1" | "deflate" | "deflateLevel" | "snappy"> {
  const negotiates = request.featureNegotiation;
  const deflate = negotiates && request.deflate && limits.deflateEnabled;
  const snappy = negotiates && request.snappy && limits.snappyEnabled;
  if (deflate && snappy) throw bothCompressions();
  const isLevelGiven = deflate && request.deflateLevel > 0n;
  const level = isLevelGiven ? Number(request.deflateLevel) : DEFAULT_DEFLATE_LEVEL;
  return {
    tlsV1: negotiates && request.tlsV1 && limits.tlsEnabled,
    deflate,
    deflateLevel: Math.min(level, limits.maxDeflateLevel),
    snappy,
  };
}

/** Bounds that are configured with a fraction of a millisecond count as their whole part. */
function inRange(field: IdentifyField, value: bigint, min: number, max: number): number {
  if (value < Math.trunc(min) || value > Math.trunc(max)) throw invalidIdentifyField(field, value);
  return Number(value);
}

function emptyRequest(): IdentifyRequest {
  return {
    clientId: "",
    hostname: "",
    userAgent: "",
    featureNegotiation: false,
    heartbeatIntervalMs: 0n,
    outputBufferSize: 0n,
    outputBufferTimeoutMs: 0n,
    tlsV1: false,
    snappy: false,
    deflate: false,
    deflateLevel: 0n,
    sampleRate: 0n,
    msgTimeoutMs: 0n,
    topologyRegion: "",
    topologyZone: "",
  };
}

type FieldReader = (request: IdentifyRequest, source: string) => void;

/** For each JSON key, how its value goes from source text into the request. */
const FIELDS: ReadonlyMap<string, FieldReader> = new Map<string, FieldReader>([
  ["client_id", (request, source) => request.clientId = stringValue(source)],
  ["hostname", (request, source) => request.hostname = stringValue(source)],
  ["user_agent", (request, source) => request.userAgent = stringValue(source)],
  ["feature_negotiation", (request, source) => request.featureNegotiation = booleanValue(source)],
  ["heartbeat_interval", (request, source) => request.heartbeatIntervalMs = integerValue(source, 64)],
  ["output_buffer_size", (request, source) => request.outputBufferSize = integerValue(source, 64)],
  ["output_buffer_timeout", (request, source) => request.outputBufferTimeoutMs = integerValue(source, 64)],
  ["tls_v1", (request, source) => request.tlsV1 = booleanValue(source)],
  ["snappy", (request, source) => request.snappy = booleanValue(source)],
  ["deflate", (request, source) => request.deflate = booleanValue(source)],
  ["deflate_level", (request, source) => request.deflateLevel = integerValue(source, 64)],
  ["sample_rate", (request, source) => request.sampleRate = integerValue(source, 32)],
  ["msg_timeout", (request, source) => request.msgTimeoutMs = integerValue(source, 64)],
  ["topology_region", (request, source) => request.topologyRegion = stringValue(source)],
  ["topology_zone", (request, source) => request.topologyZone = stringValue(source)],
]);

function stringValue(source: string): string {
  if (!source.startsWith('"')) throw undecodableIdentify();
  return parseJsonString(source);
}

function booleanValue(source: string): boolean {
  if (source !== "true" && source !== "false") throw undecodableIdentify();
  return source === "true";
}

function integerValue(source: string, bits: 32 | 64): bigint {
  if (source.length > MAX_INT64_TEXT_LENGTH || !/^-?[0-9]+$/.test(source)) throw undecodableIdentify();
  const value = BigInt(source);
  if (BigInt.asIntN(bits, value) !== value) throw undecodableIdentify();
  return value;
}

/** Beside ASCII, the long s and the Kelvin sign fold to a letter of the keys. */
function foldCase(key: string): string {
  return key.toLowerCase().replaceAll("\u017f", "s");
}
