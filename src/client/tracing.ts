/**
 * The tracing channels of `node:diagnostics_channel`: `nsq:publish`, `nsq:process` and `nsq:connection`. A
 * runtime without that module has channels to which nobody can listen.
 *
 * Tested in test/client/tracing_test.ts.
 */
import { builtinModule } from "./runtime.ts";

/** What a publish is about: `tracing:nsq:publish:*`. */
export interface PublishContext {
  /** The topic that is published to. */
  topic: string;
  /** Messages of the call. */
  count: number;
}

/** What the processing of a message is about: `tracing:nsq:process:*`. */
export interface ProcessContext {
  /** The topic it was published to. */
  topic: string;
  /** The channel it came through. */
  channel: string;
  /** 16 hex digits. */
  id: string;
  /** Deliveries so far, this one included. */
  attempts: number;
  /** Bytes of its body. */
  bodyBytes: number;
  /** When it was published, ms since the Unix epoch. */
  publishedAtMs: number;
  /** The node, as `host:port`. */
  nodeAddress: string;
}

/** What connecting is about: `tracing:nsq:connection:*`, an attempt with its handshake. */
export interface ConnectionContext {
  /** The node, as `host:port`. */
  address: string;
  /** Whether a consumer connects, or a producer. */
  isConsumer: boolean;
}

/** The part of Node's tracing channels that is used. */
export interface TracingChannel<C extends object> {
  readonly hasSubscribers: boolean;
  /** Runs `work`, telling subscribers of its start, its end, and how its promise ends. */
  tracePromise<T>(work: () => Promise<T>, context: C): Promise<T>;
}

interface NodeChannel {
  readonly hasSubscribers: boolean;
}
interface NodeTracingChannel<C extends object> extends TracingChannel<C> {
  readonly start: NodeChannel;
  readonly end: NodeChannel;
  readonly asyncStart: NodeChannel;
  readonly asyncEnd: NodeChannel;
  readonly error: NodeChannel;
}
interface DiagnosticsChannel {
  tracingChannel?<C extends object>(name: string): NodeTracingChannel<C>;
}

function tracingChannel<C extends object>(name: string): TracingChannel<C> {
  const channel = builtinModule<DiagnosticsChannel>("node:diagnostics_channel")?.tracingChannel<C>?.(name);
  if (channel === undefined) return { hasSubscribers: false, tracePromise: (work) => work() };
  return {
    // Older runtimes have no `hasSubscribers` on the channel of channels.
    get hasSubscribers() {
      return channel.start.hasSubscribers || channel.end.hasSubscribers ||
        channel.asyncStart.hasSubscribers ||
        channel.asyncEnd.hasSubscribers || channel.error.hasSubscribers;
    },
    tracePromise: (work, context) => channel.tracePromise(work, context),
  };
}

export const publishChannel: TracingChannel<PublishContext> = tracingChannel("nsq:publish");
export const processChannel: TracingChannel<ProcessContext> = tracingChannel("nsq:process");
export const connectionChannel: TracingChannel<ConnectionContext> = tracingChannel("nsq:connection");
