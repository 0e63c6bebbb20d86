/** Which command is legal in which state of a client. */
import type { CommandName } from "../../protocol/command.ts";
import * as errors from "../../protocol/errors.ts";

/**
 * What a client has told of itself. `plain`: TLS is required and not there yet; `init`: it may publish, or become a
 * consumer; `subscribed`: it consumes; `closing`: after CLS, it only answers for what is in flight.
 */
export type ClientState = "plain" | "init" | "subscribed" | "closing";

const Y = true, N = false;

export const LEGAL: Readonly<Record<CommandName, Readonly<Record<ClientState, boolean>>>> = {
  IDENTIFY: { plain: Y, init: Y, subscribed: N, closing: N },
  AUTH: { plain: N, init: Y, subscribed: N, closing: N },
  SUB: { plain: N, init: Y, subscribed: N, closing: N },
  RDY: { plain: N, init: N, subscribed: Y, closing: Y },
  FIN: { plain: N, init: N, subscribed: Y, closing: Y },
  REQ: { plain: N, init: N, subscribed: Y, closing: Y },
  TOUCH: { plain: N, init: N, subscribed: Y, closing: Y },
  CLS: { plain: N, init: N, subscribed: Y, closing: N },
  PUB: { plain: N, init: Y, subscribed: Y, closing: Y },
  MPUB: { plain: N, init: Y, subscribed: Y, closing: Y },
  DPUB: { plain: N, init: Y, subscribed: Y, closing: Y },
  NOP: { plain: N, init: Y, subscribed: Y, closing: Y },
};

const encoder = new TextEncoder();

/** The error of `name` in a state in which it is not legal. */
export function illegal(name: CommandName, state: ClientState): errors.ClientError {
  return state === "plain"
    ? errors.tlsRequired(encoder.encode(name))
    : errors.wrongState(name as errors.StateCommand);
}
