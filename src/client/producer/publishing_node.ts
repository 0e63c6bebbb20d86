/**
 * A node that is published to: what was sent to it and waits for its answers, which come in the order of the
 * commands.
 *
 * A fatal error says that nothing after the command it answers was carried out, so those publishes can go to
 * another node without a duplicate. A connection that is lost says nothing: they are unconfirmed.
 *
 * Tested in test/client/producer/producer_test.ts.
 */
import type { Connection, ConnectionListener } from "../connection/connection.ts";
import { type NsqError, PublishError, type ServerError } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import type { Link } from "../nodes/link.ts";
import type { Batch } from "./publish.ts";
import { writeBatch } from "./publish_queue.ts";

/** Who sends to nodes. */
export interface PublishingHost {
  /** Publishes that no node carried out. */
  putBack(batches: readonly Batch[]): void;
  /** Publishes that were sent to a node that went away. */
  onUnconfirmed(batches: readonly Batch[], error: NsqError): void;
  /** More can be sent. */
  onDrain(): void;
  onClosed(node: PublishingNode, error: NsqError | null): void;
}

/** Errors after which each message of a batch can be asked about by itself: nothing of it was queued. */
const ABOUT_ONE_MESSAGE = new Set(["E_BAD_MESSAGE", "E_BAD_BODY"]);
/** Errors after which a part of a batch may be queued. */
const PARTLY_DONE = new Set(["E_MPUB_FAILED"]);

/** One connection of a producer. */
export class PublishingNode implements ConnectionListener {
  readonly link: Link;
  readonly connection: Connection;
  readonly #host: PublishingHost;
  readonly #sent = new Fifo<Batch>();
  /** Where the command of each begins among all bytes of the connection. */
  readonly #starts = new Fifo<number>();
  #refusal: ServerError | null = null;

  constructor(link: Link, connection: Connection, host: PublishingHost) {
    this.link = link;
    this.connection = connection;
    this.#host = host;
  }

  /** Whether a batch can be sent now. */
  get isReady(): boolean {
    return !this.connection.isOver && this.#refusal === null && !this.connection.isCongested;
  }

  /** Whether answers are still to come. */
  get isBusy(): boolean {
    return this.#sent.size > 0;
  }

  /** The batches that wait for an answer. */
  sent(): Iterable<Batch> {
    return this.#sent;
  }

  send(batch: Batch): void {
    this.#starts.push(this.connection.queuedBytes);
    writeBatch(this.connection.writer, batch);
    this.#sent.push(batch);
  }

  onMessage(): void {}

  onRunEnd(): void {}

  onResponse(text: string): void {
    if (text !== "OK") return;
    const batch = this.#sent.shift();
    this.#starts.shift();
    if (batch === undefined) return;
    for (const publish of batch) publish.confirm();
  }

  onServerError(error: ServerError): void {
    this.#refusal = error;
    this.connection.expectEnd();
    const refused = this.#sent.shift();
    // The node carries out nothing of what follows on this connection.
    const untouched = this.#sent.takeAll();
    this.#starts.takeAll();
    if (refused !== undefined) this.#refuse(refused, untouched, error);
    this.#host.putBack(untouched);
  }

  #refuse(batch: Batch, untouched: Batch[], error: ServerError): void {
    if (batch.length > 1 && ABOUT_ONE_MESSAGE.has(error.code)) {
      for (const publish of batch) publish.isAlone = true;
      untouched.unshift(batch);
      return;
    }
    if (PARTLY_DONE.has(error.code) && batch.length > 1) return this.#host.onUnconfirmed([batch], error);
    for (const publish of batch) {
      const message = `publish to topic ${publish.topic} was refused: ${error.message}`;
      publish.fail(new PublishError("ERR_NSQ_REFUSED", publish.topic, message, { cause: error }));
    }
  }

  onDrain(): void {
    this.#host.onDrain();
  }

  onClosed(error: NsqError | null): void {
    const open = this.#sent.takeAll(), starts = this.#starts.takeAll();
    // Of a command that still waited in this process no byte can have reached the node.
    const untouched = open.filter((_, i) => starts[i] >= this.connection.handedBytes);
    const unconfirmed = open.slice(0, open.length - untouched.length);
    const reason = error ?? this.#refusal ?? closedUnderway(this.connection);
    if (unconfirmed.length > 0) this.#host.onUnconfirmed(unconfirmed, reason);
    this.#host.putBack(untouched);
    this.#host.onClosed(this, error ?? this.#refusal);
  }
}

function closedUnderway(connection: Connection): NsqError {
  return new PublishError("ERR_NSQ_UNCONFIRMED", "", `the connection to ${connection.address} was closed`);
}
