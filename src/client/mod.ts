/**
 * The client for NSQ: producers and consumers for Deno, Node and Bun.
 *
 *     import { Consumer, json, Producer } from "@nsq/client";
 *
 * Its page is README.md beside this file.
 *
 * Tested in test/client/mod_test.ts.
 *
 * @module
 */
export { bytes, type Codec, json, text } from "./codec.ts";
export {
  ClosedError,
  ConnectionError,
  type ConnectionErrorCode,
  DecodeError,
  LookupError,
  MessageError,
  type MessageErrorCode,
  NsqError,
  OptionError,
  PublishError,
  type PublishErrorCode,
  ServerError,
} from "./errors.ts";
export {
  type ConnectionOptions,
  type ConsumerOptions,
  type GivenUp,
  type Log,
  type LogLevel,
  type ProducerOptions,
  type TlsOptions,
} from "./options/options.ts";
export { applyGoOption, type GoOptions } from "./options/go_options.ts";
export { Producer, type ProducerEvents, type PublishOptions } from "./producer/producer.ts";
export { Consumer } from "./consumer/consumer.ts";
export { type ConsumerEvents, type ConsumerStats, type RunOptions } from "./consumer/consumer_events.ts";
export { type BackoffState } from "./consumer/backoff.ts";
export { type Message, type RequeueOptions } from "./consumer/message.ts";
export {
  type LookedUpNode,
  type LookupAnswer,
  LookupdClient,
  type LookupdSettings,
} from "./nodes/lookupd_client.ts";
export { type ConnectionContext, type ProcessContext, type PublishContext } from "./tracing.ts";
