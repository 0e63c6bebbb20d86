/**
 * Spans of OpenTelemetry for what a client does: publishes, processed messages, connections. It listens to the
 * tracing channels, so programs that do not import it pay nothing.
 *
 * NSQ's messages have no headers, so a span cannot be carried from a publisher to a consumer.
 *
 * @module
 */
import { type AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { ConnectionContext, ProcessContext, PublishContext } from "./tracing.ts";
import { CLIENT_VERSION } from "./version.ts";

interface SpanDescription {
  name: string;
  kind: SpanKind;
  attributes: Attributes;
}

/**
 * Makes a span of the global provider for each publish, each processed message and each attempt to connect, from now on. The handler of
 * a message runs in the context of its span. Returns the function that ends it.
 *
 *     const stop = instrument();
 */
export function instrument(): () => void {
  const tracer = trace.getTracer("@nsq/client", CLIENT_VERSION);
  const stops = [
    follow<PublishContext>(tracer, "nsq:publish", ({ topic, count }) => ({
      name: `publish ${topic}`,
      kind: SpanKind.PRODUCER,
      attributes: { ...messaging("publish", topic), "messaging.batch.message_count": count },
    })),
    follow<ProcessContext>(tracer, "nsq:process", (about) => ({
      name: `process ${about.topic}`,
      kind: SpanKind.CONSUMER,
      attributes: {
        ...messaging("process", about.topic),
        "messaging.consumer.group.name": about.channel,
        "messaging.message.id": about.id,
        "messaging.message.body.size": about.bodyBytes,
        "messaging.nsq.attempts": about.attempts,
        ...server(about.nodeAddress),
      },
    })),
    follow<ConnectionContext>(tracer, "nsq:connection", ({ address, isConsumer }) => ({
      name: `connect ${address}`,
      kind: SpanKind.CLIENT,
      attributes: { "messaging.system": "nsq", "messaging.nsq.consumer": isConsumer, ...server(address) },
    })),
  ];
  return () => stops.forEach((stop) => stop());
}

function messaging(operation: string, topic: string): Attributes {
  return {
    "messaging.system": "nsq",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation === "publish" ? "send" : operation,
    "messaging.destination.name": topic,
  };
}

function server(address: string): Attributes {
  const colon = address.lastIndexOf(":");
  return { "server.address": address.slice(0, colon), "server.port": Number(address.slice(colon + 1)) };
}

/** Gives each operation of a channel a span, and runs it in the context of the span. */
function follow<C extends object>(
  tracer: Tracer,
  name: string,
  describe: (about: C) => SpanDescription,
): () => void {
  const channel = tracingChannel<unknown, C>(name);
  const spans = new WeakMap<C, Span>();
  // Of a store channels use nothing but `run()`, and that is what OpenTelemetry's context has too.
  const store = {
    run: (active: Context, work: () => unknown) => context.with(active, work),
  } as unknown as AsyncLocalStorage<Context>;
  channel.start.bindStore(store, (about) => {
    const { name: spanName, kind, attributes } = describe(about as C);
    const span = tracer.startSpan(spanName, { kind, attributes });
    spans.set(about as C, span);
    return trace.setSpan(context.active(), span);
  });
  const subscribers = {
    start() {},
    end() {},
    asyncStart() {},
    asyncEnd: (about: C) => spans.get(about)?.end(),
    error(about: C & { error?: unknown }) {
      const error = about.error instanceof Error ? about.error : new Error(String(about.error));
      const { code } = error as { code?: unknown };
      const span = spans.get(about);
      span?.recordException(error);
      span?.setAttribute("error.type", typeof code === "string" ? code : error.name);
      span?.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    },
  };
  channel.subscribe(subscribers as Parameters<typeof channel.subscribe>[0]);
  return () => {
    channel.start.unbindStore(store);
    channel.unsubscribe(subscribers as Parameters<typeof channel.unsubscribe>[0]);
  };
}
