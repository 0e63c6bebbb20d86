/** What connections share: the broker, its limits, and who is told when one ends. Connections own nothing of it. */
import type { Broker } from "../../broker/broker.ts";
import type { Topology } from "../../broker/consumer/place.ts";
import type { BufferPool } from "../../buffers/buffer_pool.ts";
import type { Logger } from "../../log/logger.ts";
import type { IdentifyLimits } from "../../protocol/identify.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Connection } from "./connection.ts";
import type { TlsSettings } from "../../net/tls_settings.ts";

/** What connections share. */
export interface ConnectionHost {
  readonly broker: Broker;
  /** Buffers for reads and writes; apart from the messages' so that their budgets do not mix. */
  readonly pool: BufferPool;
  readonly logger: Logger;
  readonly identifyLimits: IdentifyLimits;
  readonly maxMsgSize: number;
  readonly maxBodySize: number;
  readonly maxMsgTimeoutMs: number;
  readonly maxReqTimeoutMs: number;
  readonly maxRdyCount: number;
  readonly maxChannelConsumers: number;
  /** False at level `memory`, where an OK has nothing to wait for. */
  readonly holdsReplies: boolean;
  readonly nodeId: number;
  /** Null when no auth server is configured. */
  readonly authenticator: Authenticator | null;
  /** Where this node is, when near consumers are preferred; else null. */
  readonly topology: Topology | null;
  /** Null without a certificate. */
  readonly tls: TlsSettings | null;
  /** Has `check` of the connection called at `timeMs` at the latest. */
  checkBy(slot: number, timeMs: number): void;
  connectionEnded(connection: Connection): void;
}
