/**
 * Opens a connection: magic and IDENTIFY, then the upgrades that were agreed on, in the order of the protocol
 * (TLS, then deflate or snappy), then AUTH.
 *
 * Until it is over frames are taken one at a time, because what follows the answer to IDENTIFY may be no frames
 * but compressed bytes.
 *
 * Tested in test/client/connection/connection_test.ts.
 */
import { CommandWriter } from "../../protocol/command_writer.ts";
import { frameBytes, readInt32 } from "../../protocol/frame_reader.ts";
import { FRAME_TYPE_ERROR } from "../../protocol/message.ts";
import { ConnectionError, ServerError } from "../errors.ts";
import { type Connecting, splitAddress } from "../options/options.ts";
import { type ByteStream, withPrefix } from "./byte_stream.ts";

/** What a node agreed to. Numbers are 0 where it said nothing. */
export interface Agreement {
  /** Largest RDY count. */
  readonly maxRdyCount: number;
  /** After which it takes a message back, ms. */
  readonly msgTimeoutMs: number;
  /** Up to which TOUCH can keep a message, ms from its delivery. */
  readonly maxMsgTimeoutMs: number;
  /** Of NSQ, as the node says. */
  readonly version: string;
  /** Which upgrades are there. */
  readonly tls: boolean;
  readonly deflate: boolean;
  readonly snappy: boolean;
  /** Who it took us for after AUTH; "" without AUTH. */
  readonly identity: string;
}

/** Of a node that does not negotiate. */
const DEFAULT_MAX_RDY_COUNT = 2500;
const DEFAULT_MSG_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_MSG_TIMEOUT_MS = 900_000;
const TYPE_OFFSET = 4, DATA_OFFSET = 8;
const decoder = new TextDecoder();

/** Data of a frame that is no message. @throws {ServerError} when it is an error */
export function responseText(run: Uint8Array, at: number, totalBytes: number, address: string): string {
  const text = decoder.decode(run.subarray(at + DATA_OFFSET, at + totalBytes));
  if (readInt32(run, at + TYPE_OFFSET) === FRAME_TYPE_ERROR) throw serverError(text, address);
  return text;
}

/** The error that the text of an error frame tells. */
export function serverError(text: string, address: string): ServerError {
  const space = text.indexOf(" ");
  return space < 0
    ? new ServerError(text, "", address)
    : new ServerError(text.slice(0, space), text.slice(space + 1), address);
}

/** Takes single frames from a stream, and leaves the rest of it alone. */
class FrameByFrame {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(readonly stream: ByteStream, readonly address: string, readonly maxFrameBytes: number) {
    this.#reader = stream.readable.getReader();
  }

  send(fill: (writer: CommandWriter) => void): void {
    const writer = new CommandWriter();
    fill(writer);
    this.stream.write(writer.take(), () => {});
  }

  async response(): Promise<string> {
    for (;;) {
      const total = frameBytes(this.#rest, 0, this.maxFrameBytes);
      if (total > 0 && this.#rest.length >= total) {
        const text = responseText(this.#rest, 0, total, this.address);
        this.#rest = this.#rest.subarray(total);
        if (text !== "_heartbeat_") return text;
        this.send((writer) => writer.nop());
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) {
        throw new ConnectionError(
          "ERR_NSQ_HANDSHAKE",
          this.address,
          `${this.address} ended the connection during the handshake`,
        );
      }
      const joined = new Uint8Array(this.#rest.length + value.length);
      joined.set(this.#rest);
      joined.set(value, this.#rest.length);
      this.#rest = joined;
    }
  }

  /** The stream, with what was read and not used in front. */
  release(): ByteStream {
    this.#reader.releaseLock();
    return withPrefix(this.stream, this.#rest);
  }

  /** The stream for TLS, to which nothing that was read can belong. */
  releaseEmpty(): ByteStream {
    if (this.#rest.length > 0) {
      throw new ConnectionError(
        "ERR_NSQ_HANDSHAKE",
        this.address,
        `${this.address} sent ${this.#rest.length} bytes in plain where TLS was agreed on`,
      );
    }
    this.#reader.releaseLock();
    return this.stream;
  }
}

function identifyJson(options: Connecting, isConsumer: boolean): string {
  return JSON.stringify({
    client_id: options.clientId,
    hostname: options.hostname,
    user_agent: options.userAgent,
    short_id: options.clientId,
    long_id: options.hostname,
    tls_v1: options.tls !== null,
    deflate: options.deflate,
    deflate_level: options.deflateLevel,
    snappy: options.snappy,
    feature_negotiation: true,
    heartbeat_interval: Math.round(options.heartbeatIntervalMs),
    sample_rate: isConsumer ? options.sampleRate : 0,
    output_buffer_size: options.outputBufferSize,
    output_buffer_timeout: Math.round(options.outputBufferTimeoutMs),
    msg_timeout: Math.round(options.msgTimeoutMs),
    topology_region: options.topologyRegion,
    topology_zone: options.topologyZone,
  });
}

/** Does all of it; resolves with the stream that carries frames from now on. @throws {NsqError} */
export async function shakeHands(
  stream: ByteStream,
  address: string,
  options: Connecting,
  isConsumer: boolean,
): Promise<{ stream: ByteStream; agreement: Agreement }> {
  let frames = new FrameByFrame(stream, address, options.maxFrameBytes);
  const goOn = async (next: ByteStream) => {
    frames = new FrameByFrame(next, address, options.maxFrameBytes);
    await expectOk(frames);
  };
  frames.send((writer) => {
    writer.magic();
    writer.identify(identifyJson(options, isConsumer));
  });
  const answer = await frames.response();
  const fields = answer === "OK" ? {} : parseAnswer(answer, address);
  const agreed = {
    tls: fields.tls_v1 === true,
    deflate: fields.deflate === true,
    snappy: fields.snappy === true,
  };
  checkTls(options, agreed.tls, address);
  if (agreed.tls) {
    const plain = frames.releaseEmpty();
    if (plain.startTls === null) throw handshakeError(address, "this carrier cannot change to TLS");
    await goOn(await plain.startTls(options.tls!, splitAddress("nsqd", address).host));
  }
  if (agreed.deflate || agreed.snappy) {
    // Loaded when it is needed, as sockets are.
    const { deflated, snappied } = await import("./compression.ts");
    const below = frames.release();
    await goOn(agreed.deflate ? deflated(below, options.deflateLevel) : snappied(below));
  }
  const identity = await authenticate(frames, fields.auth_required === true, options, address);
  return {
    stream: frames.release(),
    agreement: {
      ...agreed,
      maxRdyCount: numberOf(fields.max_rdy_count, DEFAULT_MAX_RDY_COUNT),
      msgTimeoutMs: numberOf(fields.msg_timeout, options.msgTimeoutMs || DEFAULT_MSG_TIMEOUT_MS),
      maxMsgTimeoutMs: numberOf(fields.max_msg_timeout, DEFAULT_MAX_MSG_TIMEOUT_MS),
      version: typeof fields.version === "string" ? fields.version : "",
      identity,
    },
  };
}

/** Who asked for TLS with a certificate to check would not want to go on in plain. */
function checkTls(options: Connecting, isAgreed: boolean, address: string): void {
  if (options.tls === null || isAgreed) return;
  throw handshakeError(address, "the node offers no TLS, and this client wants it");
}

async function authenticate(
  frames: FrameByFrame,
  isRequired: boolean,
  options: Connecting,
  address: string,
): Promise<string> {
  if (!isRequired) return "";
  if (options.authSecret === "") {
    const message = `${address}: Auth Required: the node wants AUTH, and authSecret is empty`;
    throw new ConnectionError("ERR_NSQ_AUTH_REQUIRED", address, message);
  }
  frames.send((writer) => writer.auth(options.authSecret));
  const { identity } = parseAnswer(await frames.response(), address);
  return typeof identity === "string" ? identity : "";
}

async function expectOk(frames: FrameByFrame): Promise<void> {
  const text = await frames.response();
  if (text !== "OK") throw handshakeError(frames.address, `"${text}" came in place of OK after an upgrade`);
}

function parseAnswer(text: string, address: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch { /* Said below. */ }
  throw handshakeError(address, `the answer "${text.slice(0, 100)}" is no JSON object`);
}

function handshakeError(address: string, reason: string): ConnectionError {
  return new ConnectionError("ERR_NSQ_HANDSHAKE", address, `handshake with ${address}: ${reason}`);
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === "number" && value > 0 ? value : otherwise;
}
