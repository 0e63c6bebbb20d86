/**
 * What connections share: the broker, the options, and who is told when one ends. Connections own nothing of it.
 *
 * Tested in test/nsqd/tcp/connection_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import type { Logger } from "../../log/logger.ts";
import type { TlsSettings } from "../../net/tls_settings.ts";
import type { NsqdOptions } from "../../options/tables/nsqd_options.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Checked } from "./check_times.ts";
import type { ClientOptions } from "./client_settings.ts";

/** The options that connections go by. Some change while they are open. */
export type ConnectionOptions =
  & ClientOptions
  & Pick<
    NsqdOptions,
    "durability" | "maxBodySize" | "maxChannelConsumers" | "maxMsgSize" | "maxReqTimeout" | "nodeId"
  >;

export interface ConnectionHost {
  readonly broker: Broker;
  readonly options: Readonly<ConnectionOptions>;
  /** Buffers for reads and writes; apart from the messages' so that their budgets do not mix. */
  readonly pool: BufferPool;
  readonly logger: Logger;
  /** Null when no auth server is configured. */
  readonly authenticator: Authenticator | null;
  /** Null without a certificate. */
  readonly tls: TlsSettings | null;
  /** Has `check` of the connection called at `timeMs` at the latest. */
  checkBy(slot: number, timeMs: number): void;
  connectionEnded(connection: Checked): void;
}
