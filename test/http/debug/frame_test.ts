import assert from "node:assert/strict";
import { Session } from "node:inspector";
import { fileURLToPath } from "node:url";
import { type CallFrame, frameOf, writtenLineOf } from "../../../src/http/debug/frame.ts";
import { createApp } from "../../../src/http/router.ts";

function callFrame(frame: Partial<CallFrame>): CallFrame {
  return { functionName: "pump", url: "", lineNumber: -1, columnNumber: -1, ...frame };
}

Deno.test("frameOf() names a function by the end of its file's path", () => {
  const url = "file:///srv/nsq/src/broker/channel.ts";
  assert.deepEqual(frameOf(callFrame({ url, lineNumber: 9, columnNumber: 2 })), {
    name: "broker/channel.pump",
    file: "/srv/nsq/src/broker/channel.ts",
    line: 10,
  });
});

Deno.test("frameOf() names functions without a name by their line, and keeps the runtime's own names", () => {
  const url = "ext:core/01_core.js";
  const anonymous = callFrame({ functionName: "", url, lineNumber: 4, columnNumber: 0 });
  assert.equal(frameOf(anonymous).name, "ext:core/01_core.(anonymous:5)");
  assert.equal(frameOf(anonymous).file, url);
  const builtIn = callFrame({ functionName: "(garbage collector)" });
  assert.deepEqual(frameOf(builtIn), { name: "(garbage collector)", file: "", line: 0 });
  assert.equal(frameOf(callFrame({ functionName: "" })).name, "(anonymous)");
});

Deno.test("frameOf() and writtenLineOf() give lines of the source with its types", async () => {
  const url = import.meta.resolve("../../../src/http/router.ts");
  const place = await placeOf(createApp);
  const frame = frameOf(callFrame({ functionName: "createApp", url, ...place }));
  assert.equal(frame.file, fileURLToPath(url));
  const lines = Deno.readTextFileSync(frame.file).split("\n");
  assert.match(lines[frame.line - 1], /function createApp\(/);
  assert.notEqual(frame.line, place.lineNumber + 1, "no types were stripped above it");
  const written = writtenLineOf(frame, place.lineNumber + 2);
  assert.ok(written > frame.line && written < frame.line + 10, String(written));
});

/** Where V8 has a function; both count from 0. */
async function placeOf(value: unknown): Promise<{ lineNumber: number; columnNumber: number }> {
  using inspector = new TestInspector();
  Object.assign(globalThis, { placeOfThis: value });
  const { result } = await inspector.post("Runtime.evaluate", { expression: "placeOfThis" });
  Reflect.deleteProperty(globalThis, "placeOfThis");
  const { internalProperties } = await inspector.post("Runtime.getProperties", { objectId: result.objectId });
  return internalProperties.find(({ name }: { name: string }) => name === "[[FunctionLocation]]").value.value;
}

class TestInspector {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
  }

  // deno-lint-ignore no-explicit-any
  post(method: string, parameters: Record<string, unknown>): Promise<any> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, parameters, (error, result) => error ? reject(error) : resolve(result));
    });
  }

  [Symbol.dispose]() {
    this.#session.disconnect();
  }
}
