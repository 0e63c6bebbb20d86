/**
 * What a consumer says: SUB and CLS, RDY, and FIN, REQ and TOUCH for its messages.
 *
 * Tested in test/wire/parameters_test.ts and test/wire/delivery_test.ts.
 */
import { MAX_SLOTS } from "../../broker/topic_log/chunk.ts";
import type { Answer } from "../../broker/consumer/subscription.ts";
import type { Parameters } from "../../protocol/command.ts";
import { parseDecimal, parseTimeoutMs, parseUint64 } from "../../protocol/decimal.ts";
import * as errors from "../../protocol/errors.ts";
import { ID_LENGTH, parseId } from "../../protocol/message.ts";
import { isEphemeral, isValidNameBytes } from "../../protocol/names.ts";
import type { Client } from "./client.ts";

const CLOSE_WAIT = new TextEncoder().encode("CLOSE_WAIT");
const OK = new TextEncoder().encode("OK");
const decoder = new TextDecoder();

// Each throws a `ClientError`. They are legal in the state of the client, so that those for a message, RDY and CLS
// have a subscription.

export function SUB(client: Client, parameters: Parameters): void {
  if (client.session.negotiated.heartbeatIntervalMs === 0) throw errors.subWithoutHeartbeats();
  if (parameters.count < 2) throw errors.tooFewParameters("SUB");
  const { buffer } = parameters;
  if (!isValidNameBytes(buffer, parameters.from(0), parameters.to(0))) {
    throw errors.badTopic("SUB", parameters.bytes(0));
  }
  if (!isValidNameBytes(buffer, parameters.from(1), parameters.to(1))) {
    throw errors.badChannel(parameters.bytes(1));
  }
  const topicName = decoder.decode(parameters.bytes(0)), channelName = decoder.decode(parameters.bytes(1));
  const { auth } = client;
  if (auth === null || auth.permits("SUB", topicName, channelName)) {
    return subscribe(client, topicName, channelName);
  }
  auth.renew("SUB", topicName, channelName, () => subscribe(client, topicName, channelName));
}

function subscribe(client: Client, topicName: string, channelName: string): void {
  const { broker, options } = client.host, { session, output } = client;
  const topic = broker.topic(topicName, isEphemeral(topicName));
  const channel = topic.channel(channelName, isEphemeral(channelName));
  const most = Math.min(options.maxChannelConsumers || MAX_SLOTS, MAX_SLOTS);
  if (channel.subscriptions.length >= most || !channel.hasRoom) {
    throw errors.tooManyConsumers(topicName, channelName, most);
  }
  const subscription = channel.subscribe(client, session.msgTimeoutMs, session.sampleRate);
  subscription.setPlace(session.place);
  client.subscription = subscription;
  client.state = "subscribed";
  output.response(OK);
  output.blockMessages();
}

export function CLS(client: Client): void {
  client.subscription!.close();
  client.state = "closing";
  client.output.response(CLOSE_WAIT);
}

export function RDY(client: Client, parameters: Parameters): void {
  // Not even read after CLS.
  if (client.state === "closing") return;
  client.subscription!.setRdy(readyCount(parameters, client.host.options.maxRdyCount));
}

/** The count of RDY, 1 when there is none. */
function readyCount(parameters: Parameters, maxRdyCount: number): number {
  if (parameters.count === 0) return 1;
  const from = parameters.from(0), to = parameters.to(0);
  const count = parseDecimal(parameters.buffer, from, to);
  if (Number.isNaN(count)) throw errors.unparsableRdyCount(parameters.bytes(0));
  if (count >= 0 && count <= maxRdyCount) return count;
  const exact = BigInt.asIntN(64, parseUint64(parameters.buffer, from, to)!);
  throw errors.rdyCountOutOfRange(exact, maxRdyCount);
}

/** In an unusual form; `Commands.finish` is for the usual one. */
export function FIN(client: Client, parameters: Parameters): void {
  const seq = messageOf("FIN", client, parameters), subscription = client.subscription!;
  conclude("FIN", parameters, subscription.channel.finish(subscription, seq));
}

/** A delay out of range is moved into it, where DPUB refuses. */
export function REQ(client: Client, parameters: Parameters): void {
  if (parameters.count < 2) throw errors.tooFewParameters("REQ");
  if (parameters.to(0) - parameters.from(0) !== ID_LENGTH) throw errors.invalidMessageId();
  const { broker, options } = client.host, subscription = client.subscription!;
  const wantedMs = parseTimeoutMs(parameters.buffer, parameters.from(1), parameters.to(1));
  if (Number.isNaN(wantedMs)) throw errors.unparsableTimeout("REQ", parameters.bytes(1));
  const delayMs = Math.max(0, Math.min(wantedMs, options.maxReqTimeout));
  const seq = messageOf("REQ", client, parameters);
  const answer = subscription.channel.requeue(subscription, seq, delayMs, broker.monotonicMs());
  conclude("REQ", parameters, answer);
}

export function TOUCH(client: Client, parameters: Parameters): void {
  const seq = messageOf("TOUCH", client, parameters);
  const { broker, options } = client.host, subscription = client.subscription!;
  const { msgTimeoutMs } = client.session.negotiated;
  const nowMs = broker.monotonicMs();
  const answer = subscription.channel.touch(subscription, seq, msgTimeoutMs, options.maxMsgTimeout, nowMs);
  conclude("TOUCH", parameters, answer);
}

/** The sequence number of the message that the command is for. */
function messageOf(name: errors.MessageCommand, client: Client, parameters: Parameters): number {
  if (parameters.count < 1) throw errors.tooFewParameters(name);
  const at = parameters.from(0);
  if (parameters.to(0) - at !== ID_LENGTH) throw errors.invalidMessageId();
  return parseId(parameters.buffer, at, client.host.options.nodeId);
}

function conclude(name: errors.MessageCommand, parameters: Parameters, answer: Answer): void {
  if (answer !== "ok") throw messageFailed(name, parameters.bytes(0), answer);
}

/** The error for an answer to a message that is not in flight with this client. */
export function messageFailed(
  name: errors.MessageCommand,
  id: Uint8Array,
  answer: Answer,
): errors.ClientError {
  const reason = answer === "not owner" ? "client does not own message" : "ID not in flight";
  return errors.messageCommandFailed(name, id, reason);
}
