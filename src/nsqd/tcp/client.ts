/**
 * A connection, as the commands of its client see it.
 *
 * Tested in test/nsqd/tcp/connection_test.ts.
 */
import type { Consumer, Subscription } from "../../broker/consumer/subscription.ts";
import type { ConnectionAuth } from "../auth/connection_auth.ts";
import type { ClientSettings } from "./client_settings.ts";
import type { ConnectionHost } from "./connection_host.ts";
import type { ClientState } from "./legal_commands.ts";
import type { Output } from "./output.ts";

export interface Client extends Consumer {
  readonly host: ConnectionHost;
  readonly session: ClientSettings;
  readonly output: Output;
  /** What the client may do; null when it may do everything, because no auth server is configured. */
  readonly auth: ConnectionAuth | null;
  state: ClientState;
  /** Null until SUB, and from the moment the connection is about to end. */
  subscription: Subscription | null;
  /** An answer was staged. */
  answered(): void;
  /** A command threw, now or later; what is no `ClientError` is a defect. False when none is run after it. */
  commandFailed(cause: unknown): boolean;
  /** IDENTIFY was taken: stages the answer, and changes the stream when that was agreed on. */
  identify(body: Uint8Array): void;
}
