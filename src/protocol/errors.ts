/**
 * What a client did wrong, and the exact text that tells it so.
 *
 * Each error of the TCP protocol has its factory here, and no other file spells a code or a text.
 * Parameters that are echoed come in as the bytes that the client sent and go out byte for byte; see
 * `ByteText`. Which check comes first is the business of the command, not of this file.
 */
import { type ByteText, byteText, decodeText, encodeByteText, goQuote, rawText } from "./quote.ts";

/** An error frame is sent and the connection goes on: FIN, REQ and TOUCH of a message that is gone. */
export class ClientError extends Error {
  /** The first word of the answer, such as `E_FIN_FAILED`. */
  readonly code: string;
  /** What follows the code; empty only when the answer is the code alone. */
  readonly description: ByteText;
  /** Whether the connection is closed after the answer. */
  readonly fatal: boolean = false;

  /** `options.cause` is for the log; nothing of it is sent unless `description` repeats it. */
  constructor(code: string, description: ByteText, options?: ErrorOptions) {
    super(decodeText(encodeByteText(wireText(code, description))), options);
    this.name = new.target.name;
    this.code = code;
    this.description = description;
  }

  /** The answer: the code, a space, the description. `message` is the same as Unicode text. */
  get wireText(): ByteText {
    return wireText(this.code, this.description);
  }

  /** Returns the data of the error frame in a new array. */
  encode(): Uint8Array<ArrayBuffer> {
    return encodeByteText(this.wireText);
  }
}

/** An error frame is sent and the connection is closed: every error but those of `ClientError`. */
export class FatalClientError extends ClientError {
  override readonly fatal = true;
}

/** The reason of a failure: text to send, or an error of which the message is sent. */
export type Cause = string | Error;

/** Commands that put messages into a topic. */
export type PublishCommand = "PUB" | "MPUB" | "DPUB";
/** Commands that answer for one message in flight. */
export type MessageCommand = "FIN" | "REQ" | "TOUCH";
/** Commands whose topic and channel an authorization must allow. */
export type CheckedCommand = "SUB" | PublishCommand;
/** Commands that are followed by a body with a size of its own. */
export type BodyCommand = "IDENTIFY" | "AUTH" | "MPUB";
/** Commands that are refused in some state of the connection. */
export type StateCommand = "IDENTIFY" | "AUTH" | "SUB" | "RDY" | "CLS" | MessageCommand;

/** Why FIN, REQ or TOUCH has no effect on its message. */
export type MessageFailure = "ID not in flight" | "client does not own message" | "exiting";

function wireText(code: string, description: ByteText): ByteText {
  return description === "" ? code : `${code} ${description}`;
}

function causedBy(code: string, action: string, cause: Cause): FatalClientError {
  if (typeof cause === "string") return new FatalClientError(code, `${action} ${byteText(cause)}`);
  return new FatalClientError(code, `${action} ${byteText(cause.message)}`, { cause });
}

// Before a command is chosen

/** The first four bytes of the connection name no protocol that is spoken here. */
export function badProtocol(): FatalClientError {
  return new FatalClientError("E_BAD_PROTOCOL", "");
}

/** TLS is required, the connection is plain, and `word` is not IDENTIFY. */
export function tlsRequired(word: Uint8Array): FatalClientError {
  return new FatalClientError("E_INVALID", `cannot ${rawText(word)} in current state (TLS required)`);
}

export function unknownCommand(word: Uint8Array): FatalClientError {
  return new FatalClientError("E_INVALID", `invalid command ${rawText(word)}`);
}

export function wrongState(command: StateCommand): FatalClientError {
  return new FatalClientError("E_INVALID", `cannot ${command} in current state`);
}

// Parameters

/** The wording differs: commands for one message in flight say "params". */
export function tooFewParameters(command: CheckedCommand | MessageCommand): FatalClientError {
  const noun = command === "FIN" || command === "REQ" || command === "TOUCH" ? "params" : "parameters";
  return new FatalClientError("E_INVALID", `${command} insufficient number of ${noun}`);
}

/** nsqd repeats the code in the text for MPUB, and clients may have learnt to expect it. */
export function badTopic(command: CheckedCommand, topic: Uint8Array): FatalClientError {
  const repeated = command === "MPUB" ? "E_BAD_TOPIC " : "";
  return new FatalClientError(
    "E_BAD_TOPIC",
    `${repeated}${command} topic name ${goQuote(topic)} is not valid`,
  );
}

export function badChannel(channel: Uint8Array): FatalClientError {
  return new FatalClientError("E_BAD_CHANNEL", `SUB channel name ${goQuote(channel)} is not valid`);
}

/** The length of the id parameter is not 16. */
export function invalidMessageId(): FatalClientError {
  return new FatalClientError("E_INVALID", "invalid message ID");
}

export function unparsableTimeout(command: "REQ" | "DPUB", timeout: Uint8Array): FatalClientError {
  return new FatalClientError("E_INVALID", `${command} could not parse timeout ${rawText(timeout)}`);
}

export function unparsableRdyCount(count: Uint8Array): FatalClientError {
  return new FatalClientError("E_INVALID", `RDY could not parse count ${rawText(count)}`);
}

/** `count` is the signed 64-bit view of the parameter. */
export function rdyCountOutOfRange(count: number | bigint, maxRdyCount: number): FatalClientError {
  return new FatalClientError("E_INVALID", `RDY count ${count} out of range 0-${maxRdyCount}`);
}

/** `timeoutMs` is the unsigned 64-bit view of the parameter. */
export function dpubTimeoutOutOfRange(
  timeoutMs: number | bigint,
  maxReqTimeoutMs: number,
): FatalClientError {
  return new FatalClientError("E_INVALID", `DPUB timeout ${timeoutMs} out of range 0-${maxReqTimeoutMs}`);
}

// Bodies of IDENTIFY, AUTH and MPUB

export function unreadableBodySize(command: BodyCommand): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `${command} failed to read body size`);
}

export function bodyTooBig(command: BodyCommand, bodyBytes: number, maxBodyBytes: number): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `${command} body too big ${bodyBytes} > ${maxBodyBytes}`);
}

/** The size is zero or negative. */
export function invalidBodySize(command: BodyCommand, bodyBytes: number): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `${command} invalid body size ${bodyBytes}`);
}

/** The connection ended, or its read deadline passed, inside the body. */
export function unreadableBody(command: "IDENTIFY" | "AUTH"): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `${command} failed to read body`);
}

// Messages of PUB, MPUB and DPUB

export function unreadableMessageSize(command: "PUB" | "DPUB"): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `${command} failed to read message body size`);
}

/** The size is zero or negative. */
export function invalidMessageSize(command: "PUB" | "DPUB", bodyBytes: number): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `${command} invalid message body size ${bodyBytes}`);
}

export function messageTooBig(
  command: PublishCommand,
  bodyBytes: number,
  maxMsgBytes: number,
): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `${command} message too big ${bodyBytes} > ${maxMsgBytes}`);
}

/** The connection ended, or its read deadline passed, inside a message body. */
export function unreadableMessage(command: PublishCommand): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `${command} failed to read message body`);
}

export function unreadableMessageCount(): FatalClientError {
  return new FatalClientError("E_BAD_BODY", "MPUB failed to read message count");
}

/** The count is zero, negative, or more than the largest body could hold. */
export function invalidMessageCount(count: number): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `MPUB invalid message count ${count}`);
}

/** `index` counts the messages of the batch from 0. */
export function unreadableBatchMessageSize(index: number): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `MPUB failed to read message(${index}) body size`);
}

/** The size is zero or negative; `index` counts the messages of the batch from 0. */
export function invalidBatchMessageSize(index: number, bodyBytes: number): FatalClientError {
  return new FatalClientError("E_BAD_MESSAGE", `MPUB invalid message(${index}) body size ${bodyBytes}`);
}

/** The topic is exiting (cause `exiting`) or could not store the message. */
export function publishFailed(command: PublishCommand, cause: Cause): FatalClientError {
  return causedBy(`E_${command}_FAILED`, `${command} failed`, cause);
}

/** A bound of the topic's policy is reached: nothing of the command is taken, and the connection stays. */
export function publishRefused(command: PublishCommand, reason: string): ClientError {
  return new ClientError(`E_${command}_FAILED`, `${command} failed ${reason}`);
}

// IDENTIFY

export function undecodableIdentify(cause?: unknown): FatalClientError {
  return new FatalClientError("E_BAD_BODY", "IDENTIFY failed to decode JSON body", { cause });
}

/** A field of IDENTIFY in the words of its error. */
export type IdentifyField =
  | "heartbeat interval"
  | "output buffer timeout"
  | "output buffer size"
  | "sample rate"
  | "msg timeout";

export function invalidIdentifyField(field: IdentifyField, value: bigint): FatalClientError {
  return new FatalClientError("E_BAD_BODY", `IDENTIFY ${field} (${value}) is invalid`);
}

export function bothCompressions(): FatalClientError {
  return new FatalClientError("E_IDENTIFY_FAILED", "cannot enable both deflate and snappy compression");
}

/** The answer could not be written, or the change to TLS or compression failed. */
export function identifyFailed(cause: Cause): FatalClientError {
  return causedBy("E_IDENTIFY_FAILED", "IDENTIFY failed", cause);
}

// AUTH, and the checks that it makes possible

/** AUTH takes none; even a trailing space counts as one. */
export function authParametersGiven(): FatalClientError {
  return new FatalClientError("E_INVALID", "AUTH invalid number of parameters");
}

export function authAlreadySet(): FatalClientError {
  return new FatalClientError("E_INVALID", "AUTH already set");
}

/** No auth server is configured. */
export function authDisabled(): FatalClientError {
  return new FatalClientError("E_AUTH_DISABLED", "AUTH disabled");
}

/** No auth server gave a valid reply, at AUTH or when an authorization had to be renewed. */
export function authFailed(cause?: unknown): FatalClientError {
  return new FatalClientError("E_AUTH_FAILED", "AUTH failed", { cause });
}

export function noAuthorizations(): FatalClientError {
  return new FatalClientError("E_UNAUTHORIZED", "AUTH no authorizations found");
}

export function authRequired(command: CheckedCommand): FatalClientError {
  return new FatalClientError("E_AUTH_FIRST", `AUTH required before ${command}`);
}

/** Both names are valid ones; `channel` is empty for a publish. */
export function unauthorized(command: CheckedCommand, topic: string, channel: string): FatalClientError {
  return new FatalClientError("E_UNAUTHORIZED", `AUTH failed for ${command} on "${topic}" "${channel}"`);
}

// SUB

export function subWithoutHeartbeats(): FatalClientError {
  return new FatalClientError("E_INVALID", "cannot SUB with heartbeats disabled");
}

/** Both names are valid ones. */
export function tooManyConsumers(topic: string, channel: string, maxConsumers: number): FatalClientError {
  return new FatalClientError(
    "E_SUB_FAILED",
    `SUB failed consumers for ${topic}:${channel} exceeds limit of ${maxConsumers}`,
  );
}

// FIN, REQ, TOUCH: the only errors after which the connection goes on

export function messageCommandFailed(
  command: MessageCommand,
  id: Uint8Array,
  failure: MessageFailure,
): ClientError {
  return new ClientError(`E_${command}_FAILED`, `${command} ${rawText(id)} failed ${failure}`);
}
