/**
 * What can go wrong, as classes with a `code` to branch on. Texts name the host, the topic or the limit.
 *
 * Tested in test/client/errors_test.ts.
 */

/** The base of all errors of the client. */
export class NsqError extends Error {
  /** The name of the class. */
  override name = "NsqError";
  /** Stays the same between versions, such as `ERR_NSQ_OPTION`; errors of a server have its code, `E_...`. */
  readonly code: string;

  /** `code` as described above; `options.cause` is what led to it. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An option, a name or an argument that cannot be used; nothing was done. Code `ERR_NSQ_OPTION`. */
export class OptionError extends NsqError {
  /** The name of the class. */
  override name = "OptionError";

  /** `message` says what is wrong; `options.cause` is what led to it. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_NSQ_OPTION", message, options);
  }
}

/** Why a connection is not there. */
export type ConnectionErrorCode =
  | "ERR_NSQ_CONNECT"
  | "ERR_NSQ_CONNECT_TIMEOUT"
  | "ERR_NSQ_HANDSHAKE"
  | "ERR_NSQ_AUTH_REQUIRED"
  | "ERR_NSQ_CONNECTION_LOST"
  | "ERR_NSQ_READ_TIMEOUT"
  | "ERR_NSQ_WRITE_TIMEOUT"
  | "ERR_NSQ_PROTOCOL";

/** A connection to a node that was not made, or broke. */
export class ConnectionError extends NsqError {
  /** The name of the class. */
  override name = "ConnectionError";
  /** The node, as `host:port`. */
  readonly address: string;

  /** `address` is the node's `host:port`. */
  constructor(code: ConnectionErrorCode, address: string, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.address = address;
  }
}

/** An error that a node sent; `code` is its code, such as `E_BAD_TOPIC`. */
export class ServerError extends NsqError {
  /** The name of the class. */
  override name = "ServerError";
  /** The node, as `host:port`. */
  readonly address: string;
  /** The node's words after the code. */
  readonly description: string;

  /** `code` and `description` are the node's; `address` is its `host:port`. */
  constructor(code: string, description: string, address: string) {
    super(code, `${address}: ${code}${description === "" ? "" : ` ${description}`}`);
    this.address = address;
    this.description = description;
  }
}

/**
 * Why a publish failed: `ERR_NSQ_NOT_SENT` no node has it; `ERR_NSQ_UNCONFIRMED` it was sent and no answer
 * came, so it may be queued, and publishing again may duplicate it; `ERR_NSQ_REFUSED` the node said why, see `cause`.
 */
export type PublishErrorCode = "ERR_NSQ_NOT_SENT" | "ERR_NSQ_UNCONFIRMED" | "ERR_NSQ_REFUSED";

/** A publish that was not confirmed. */
export class PublishError extends NsqError {
  /** The name of the class. */
  override name = "PublishError";
  /** The topic that was published to. */
  readonly topic: string;
  /** True when its bytes left for a node: then a duplicate is possible if it is published again. */
  readonly isSent: boolean;

  /** `options.cause` is the error of the connection or the node, where there is one. */
  constructor(code: PublishErrorCode, topic: string, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.topic = topic;
    this.isSent = code === "ERR_NSQ_UNCONFIRMED";
  }
}

/** The producer or consumer is closed, or closes. Code `ERR_NSQ_CLOSED`. */
export class ClosedError extends NsqError {
  /** The name of the class. */
  override name = "ClosedError";

  /** `message` names what is closed. */
  constructor(message: string) {
    super("ERR_NSQ_CLOSED", message);
  }
}

/** A lookupd that gave no usable answer. Code `ERR_NSQ_LOOKUP`. */
export class LookupError extends NsqError {
  /** The name of the class. */
  override name = "LookupError";
  /** The lookupd, as it was given. */
  readonly address: string;

  /** `address` is the lookupd's. */
  constructor(address: string, message: string, options?: ErrorOptions) {
    super("ERR_NSQ_LOOKUP", message, options);
    this.address = address;
  }
}

/** A body that the codec cannot decode. Code `ERR_NSQ_DECODE`. */
export class DecodeError extends NsqError {
  /** The name of the class. */
  override name = "DecodeError";

  /** `message` says what is wrong; `options.cause` is what led to it. */
  constructor(message: string, options?: ErrorOptions) {
    super("ERR_NSQ_DECODE", message, options);
  }
}

/**
 * Why `message.signal` aborted: `ERR_NSQ_MESSAGE_TIMEOUT` its time is over; `ERR_NSQ_MESSAGE_LOST` its
 * connection is gone; `ERR_NSQ_MESSAGE_CLOSED` the consumer closed before it was answered.
 */
export type MessageErrorCode =
  | "ERR_NSQ_MESSAGE_TIMEOUT"
  | "ERR_NSQ_MESSAGE_LOST"
  | "ERR_NSQ_MESSAGE_CLOSED";

/** A message that is no longer ours: another consumer gets it, or has it. */
export class MessageError extends NsqError {
  /** The name of the class. */
  override name = "MessageError";
  /** The 16 hex digits of the message. */
  readonly id: string;

  /** `id` is the message's. */
  constructor(code: MessageErrorCode, id: string, message: string) {
    super(code, message);
    this.id = id;
  }
}
