/**
 * The states of a connection. It is in exactly one of them:
 *
 *     opening --magic--> open --auth server asked--> waiting
 *        |               | ^ <------its answer--------+  |
 *        |               | |                             |
 *        |       IDENTIFY| |upgraded                     |
 *        |               v |                             |
 *        |            upgrading                          |
 *        v               v                               v
 *        +--- error, or the client ends its side ---> lingering ---> ended
 *
 * Every state can go to `ended` at once: the socket failed, the client is silent, the broker stops.
 *
 * Tested in test/nsqd/tcp/connection_test.ts.
 */
import type { Upgrade } from "./upgrade.ts";

export type ConnectionState =
  /** The magic has not come yet. */
  | { readonly is: "opening" }
  /** Commands are run as they arrive. */
  | { readonly is: "open" }
  /** A command waits for the auth server; what follows it is taken in, up to a limit, and not run. */
  | { readonly is: "waiting" }
  /** The stream changes to TLS or compression; nothing else is sent or run. */
  | { readonly is: "upgrading"; readonly upgrade: Upgrade }
  /** What is staged goes out, what comes in is dropped; then the connection ends. */
  | { readonly is: "lingering" }
  /** Nothing is held any more. */
  | { readonly is: "ended" };

export const OPENING: ConnectionState = { is: "opening" };
export const OPEN: ConnectionState = { is: "open" };
export const WAITING: ConnectionState = { is: "waiting" };
export const LINGERING: ConnectionState = { is: "lingering" };
export const ENDED: ConnectionState = { is: "ended" };
