/**
 * Changes a connection to TLS, to a compression, or to both, as IDENTIFY settled it.
 *
 * The answer to IDENTIFY leaves on the old stream; each change is then confirmed with an OK on the new one. The
 * client waits for each, so nothing else is sent or run meanwhile. Bytes that came behind IDENTIFY belong to the
 * new stream: what is smuggled in before a handshake is never run as a command.
 *
 * Tested in test/wire/upgrade_test.ts and test/wire/upgrade_errors_test.ts.
 */
import type { IdentifySettings } from "../../protocol/identify.ts";
import { DeflateTransport } from "../../transport/deflate_transport.ts";
import { SnappyTransport } from "../../transport/snappy_transport.ts";
import { HANDSHAKE_MS, TlsHandshake, type TlsSession } from "../../transport/tls_transport.ts";
import { PrefixedTransport, type Transport } from "../../transport/transport.ts";
import type { TlsSettings } from "../../net/tls_settings.ts";
import type { Input } from "./input.ts";
import type { Output } from "./output.ts";

/** The connection, as far as it is needed here. */
export interface UpgradeOwner {
  readonly input: Pick<Input, "takeUnread">;
  readonly output: Pick<Output, "written">;
  /** A TLS handshake begins: the connection ends unless it is done in so many ms. */
  endsWithin(limitMs: number): void;
  /** What is staged from now on goes through `transport`; stages an OK. */
  changeTransport(transport: Transport, session: TlsSession | null): void;
  /** Commands are run again. */
  upgraded(): void;
  /** The client is told on the stream that there was before; `mayRead` resolves when that may be read again. */
  upgradeFailed(cause: Error, mayRead: Promise<void>): void;
}

/** What a connection has, or is to get. */
export type Upgrades = Pick<IdentifySettings, "tlsV1" | "deflate" | "snappy">;
type WantedUpgrades = Upgrades & Pick<IdentifySettings, "deflateLevel">;

/**
 * Settles what a repeated IDENTIFY asks for with what the connection has: that stays, and TLS cannot be put
 * below a compression.
 */
export function keepUpgrades<S extends Upgrades>(wanted: S, current: Upgrades): S {
  if (!current.deflate && !current.snappy) return { ...wanted, tlsV1: wanted.tlsV1 || current.tlsV1 };
  return { ...wanted, tlsV1: current.tlsV1, deflate: current.deflate, snappy: current.snappy };
}

/** True when `to` has something that `from` has not. */
export function isUpgrade(from: Upgrades, to: Upgrades): boolean {
  return from.tlsV1 !== to.tlsV1 || from.deflate !== to.deflate || from.snappy !== to.snappy;
}

export class Upgrade {
  readonly #owner: UpgradeOwner;
  #transport: Transport;
  #handshake: TlsHandshake | null = null;

  constructor(owner: UpgradeOwner, transport: Transport) {
    this.#owner = owner;
    this.#transport = transport;
  }

  /** Goes from `from` to `to`. Returns at once; the owner is told how it went. */
  start(from: Upgrades, to: WantedUpgrades, tls: TlsSettings | null): void {
    this.#run(from, to, tls).catch((cause: Error) => this.#failed(cause));
  }

  async #run(from: Upgrades, to: WantedUpgrades, tls: TlsSettings | null): Promise<void> {
    const owner = this.#owner;
    await owner.output.written();
    const unread = owner.input.takeUnread();
    if (unread.length > 0) this.#transport = new PrefixedTransport(this.#transport, unread);
    if (to.tlsV1 && !from.tlsV1) {
      owner.endsWithin(HANDSHAKE_MS);
      this.#handshake = new TlsHandshake(this.#transport, tls!);
      const session = await this.#handshake.session;
      this.#handshake = null;
      this.#transport = session.transport;
      owner.changeTransport(this.#transport, session);
      await owner.output.written();
    }
    if (to.snappy && !from.snappy) this.#compress(new SnappyTransport(this.#transport));
    if (to.deflate && !from.deflate) this.#compress(new DeflateTransport(this.#transport, to.deflateLevel));
    owner.upgraded();
  }

  #compress(transport: Transport): void {
    this.#transport = transport;
    this.#owner.changeTransport(transport, null);
  }

  /** The time for the handshake is over, or for what comes before it. */
  timedOut(cause: Error): void {
    if (this.#handshake === null) this.#failed(cause);
    else this.#handshake.abort(cause);
  }

  #failed(cause: Error): void {
    const mayRead = this.#handshake === null ? Promise.resolve() : this.#handshake.release();
    this.#owner.upgradeFailed(cause, mayRead);
  }
}
