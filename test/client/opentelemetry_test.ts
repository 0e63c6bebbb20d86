import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  type Context,
  context,
  type ContextManager,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { Consumer } from "../../src/client/consumer/consumer.ts";
import { instrument } from "../../src/client/opentelemetry.ts";
import { Producer } from "../../src/client/producer/producer.ts";
import { startNsqd } from "../support/running_nsqd.ts";

/** A span that only remembers. */
class RememberedSpan {
  isEnded = false;
  message: string | undefined;
  readonly attributes: Attributes;

  constructor(readonly name: string, options: SpanOptions) {
    this.attributes = { ...options.attributes };
  }

  end(): void {
    this.isEnded = true;
  }

  setAttribute(key: string, value: string): void {
    this.attributes[key] = value;
  }

  setStatus({ message }: { message?: string }): void {
    this.message = message;
  }

  recordException(): void {}
}

/** Contexts as a program's SDK keeps them. */
class StoredContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => fn.call(thisArg, ...args));
  }

  bind<T>(_: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

Deno.test("instrument() makes spans of publishes, processed messages and connections, and handlers run inside", async () => {
  context.setGlobalContextManager(new StoredContexts());
  const spans: RememberedSpan[] = [];
  const tracer = {
    startSpan(name: string, options: SpanOptions) {
      const span = new RememberedSpan(name, options);
      spans.push(span);
      return span as unknown as Span;
    },
  } as unknown as Tracer;
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  const stop = instrument();
  try {
    await using server = await startNsqd();
    const nsqd = `127.0.0.1:${server.tcpPort}`;
    await using producer = new Producer({ nsqd });
    await producer.publishMany("orders", ["good", "bad"]);
    await using consumer = new Consumer("orders", "mail", { nsqd, maxBackoffMs: 0 });
    const inside: (string | undefined)[] = [];
    let handled = 0;
    await new Promise<void>((resolve) =>
      consumer.run(async (message) => {
        await null;
        inside.push((trace.getActiveSpan() as unknown as RememberedSpan | undefined)?.name);
        if (++handled === 2) resolve();
        if (message.text() === "bad") throw new Error("of the handler");
      })
    );
    await consumer.close();
    assert.deepEqual(inside, ["process orders", "process orders"]);
    assert.deepEqual(spans.map(({ name }) => name), [
      "publish orders",
      `connect ${nsqd}`,
      `connect ${nsqd}`,
      "process orders",
      "process orders",
    ]);
    assert.ok(spans.every(({ isEnded }) => isEnded));
    assert.deepEqual(spans.map(({ message }) => message).filter((message) => message !== undefined), [
      "of the handler",
    ]);
    assert.equal(spans[0].attributes["messaging.batch.message_count"], 2);
    assert.equal(spans[3].attributes["messaging.consumer.group.name"], "mail");
    assert.equal(spans[3].attributes["server.port"], server.tcpPort);
    stop();
    await producer.publish("orders", "unseen");
    assert.equal(spans.length, 5);
  } finally {
    stop();
    trace.disable();
    context.disable();
  }
});
