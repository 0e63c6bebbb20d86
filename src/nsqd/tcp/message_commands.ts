/** What a consumer says of messages and of itself: FIN, REQ, TOUCH and RDY, from their parameters to the channel. */
import type { Broker } from "../../broker/broker.ts";
import type { Answer, Subscription } from "../../broker/consumer/subscription.ts";
import type { Parameters } from "../../protocol/command_reader.ts";
import { parseDecimal, parseTimeoutMs, parseUint64 } from "../../protocol/decimal.ts";
import * as errors from "../../protocol/errors.ts";
import { ID_LENGTH, parseId } from "../../protocol/message.ts";

/** What these commands need of the host of a connection. */
export interface MessageCommandHost {
  readonly broker: Broker;
  readonly nodeId: number;
  readonly maxMsgTimeoutMs: number;
  readonly maxReqTimeoutMs: number;
}

/**
 * FIN in an unusual form, REQ and TOUCH.
 *
 * @param msgTimeoutMs what TOUCH gives the message anew
 * @throws {ClientError}
 */
export function answerMessage(
  name: errors.MessageCommand,
  parameters: Parameters,
  subscription: Subscription | null,
  msgTimeoutMs: number,
  host: MessageCommandHost,
): void {
  if (subscription === null) throw errors.wrongState(name);
  if (parameters.count < (name === "REQ" ? 2 : 1)) throw errors.tooFewParameters(name);
  const idAt = parameters.from(0);
  if (parameters.to(0) - idAt !== ID_LENGTH) throw errors.invalidMessageId();
  const delayMs = name === "REQ" ? requeueDelay(parameters, host.maxReqTimeoutMs) : 0;
  const seq = parseId(parameters.buffer, idAt, host.nodeId);
  const { channel } = subscription, { broker, maxMsgTimeoutMs } = host;
  let answer: Answer;
  if (name === "FIN") answer = channel.finish(subscription, seq);
  else if (name === "REQ") answer = channel.requeue(subscription, seq, delayMs, broker.monotonicMs());
  else answer = channel.touch(subscription, seq, msgTimeoutMs, maxMsgTimeoutMs, broker.monotonicMs());
  if (answer !== "ok") throw messageFailed(name, parameters.bytes(0), answer);
}

/** The error for an answer to a message that is not in flight with this client. */
export function messageFailed(
  name: errors.MessageCommand,
  id: Uint8Array,
  answer: Answer,
): errors.ClientError {
  return errors.messageCommandFailed(
    name,
    id,
    answer === "not owner" ? "client does not own message" : "ID not in flight",
  );
}

/** REQ clamps where DPUB refuses. */
function requeueDelay(parameters: Parameters, maxReqTimeoutMs: number): number {
  const delayMs = parseTimeoutMs(parameters.buffer, parameters.from(1), parameters.to(1));
  if (Number.isNaN(delayMs)) throw errors.unparsableTimeout("REQ", parameters.bytes(1));
  return Math.max(0, Math.min(delayMs, maxReqTimeoutMs));
}

/** The count of RDY, 1 when there is none. @throws {ClientError} when it is no number or out of range */
export function readyCount(parameters: Parameters, maxRdyCount: number): number {
  if (parameters.count === 0) return 1;
  const from = parameters.from(0), to = parameters.to(0);
  const count = parseDecimal(parameters.buffer, from, to);
  if (Number.isNaN(count)) throw errors.unparsableRdyCount(parameters.bytes(0));
  if (count >= 0 && count <= maxRdyCount) return count;
  const exact = BigInt.asIntN(64, parseUint64(parameters.buffer, from, to)!);
  throw errors.rdyCountOutOfRange(exact, maxRdyCount);
}
