/**
 * The profiles that are served: what V8's profilers and statistics say, in the format of pprof.
 *
 * Tested in test/http/debug/routes_test.ts.
 */
import { memoryUsage } from "node:process";
import { getHeapSpaceStatistics } from "node:v8";
import { type Frame, frameOf, writtenLineOf } from "./frame.ts";
import {
  cpuIntervalUs,
  HEAP_INTERVAL_BYTES,
  startCpuProfile,
  startHeapProfile,
  type V8CpuProfile,
  type V8HeapNode,
} from "./inspector.ts";
import { PprofBuilder } from "./pprof.ts";

const NS_PER_US = 1000;
/** What tells nothing of the program: the event loop waits, or begins this very profile. */
const LEFT_OUT = new Set(["(idle)", "ext:deno_node/inspector.post"]);

/** Profiles that take a while: begun, then left alone for their duration, then encoded or thrown away. */
export interface TimedProfile {
  encode(): Promise<Uint8Array<ArrayBuffer>>;
  discard(): void;
}

/**
 * Where time goes: samples/count and cpu/nanoseconds. Waiting is left out.
 *
 * @throws as `startCpuProfile()`
 */
export async function cpuProfile(durationMs: number): Promise<TimedProfile> {
  const startedAtMs = Date.now(), intervalUs = cpuIntervalUs(durationMs);
  const recording = await startCpuProfile(intervalUs);
  const encode = async () => {
    const profile = await recording.stop();
    const builder = new PprofBuilder(
      [["samples", "count"], ["cpu", "nanoseconds"]],
      ["cpu", "nanoseconds"],
      intervalUs * NS_PER_US,
    );
    builder.setTime(startedAtMs, Date.now() - startedAtMs);
    builder.addComment(
      "Samples of the thread that runs the event loop, taken by V8; the time in which it waited is left out. " +
        "(program) is native code, such as that of sockets, outside of any function.",
    );
    addCpuSamples(builder, profile);
    return await builder.encode();
  };
  return { encode, discard: recording.discard };
}

interface CpuNode {
  readonly frame: Frame;
  readonly ticks: readonly { readonly line: number; readonly ticks: number }[];
  parent: CpuNode | undefined;
  sampleCount: number;
  selfUs: number;
}

function addCpuSamples(builder: PprofBuilder, profile: V8CpuProfile): void {
  const nodes = new Map<number, CpuNode>();
  for (const { id, callFrame, positionTicks = [] } of profile.nodes) {
    const frame = frameOf(callFrame);
    nodes.set(id, { frame, ticks: positionTicks, parent: undefined, sampleCount: 0, selfUs: 0 });
  }
  for (const { id, children = [] } of profile.nodes) {
    for (const child of children) nodes.get(child)!.parent = nodes.get(id);
  }
  const { samples = [], timeDeltas = [] } = profile;
  for (let i = 0; i < samples.length; i++) {
    const node = nodes.get(samples[i])!;
    node.sampleCount++;
    // V8 orders samples by time only nearly, so that some of the differences are negative.
    node.selfUs += timeDeltas[i];
  }
  for (const node of nodes.values()) {
    if (node.sampleCount > 0 && !LEFT_OUT.has(node.frame.name)) addCpuNode(builder, node);
  }
}

/** A node becomes a sample for each line of its function in which it was seen. */
function addCpuNode(builder: PprofBuilder, node: CpuNode): void {
  const callers: number[] = [];
  // The outermost is V8's (root), of which nobody learns anything.
  for (let caller = node.parent; caller?.parent !== undefined; caller = caller.parent) {
    callers.push(builder.location(caller.frame));
  }
  const tickCount = node.ticks.reduce((sum, { ticks }) => sum + ticks, 0);
  const selfNs = Math.max(node.selfUs, 0) * NS_PER_US;
  if (tickCount === 0 || node.frame.file === "") {
    builder.addSample([builder.location(node.frame), ...callers], [node.sampleCount, selfNs]);
    return;
  }
  for (const { line, ticks } of node.ticks) {
    const location = builder.location(node.frame, writtenLineOf(node.frame, line));
    builder.addSample([location, ...callers], [ticks, selfNs * ticks / tickCount]);
  }
}

/**
 * What was allocated meanwhile and is still in use, by the functions that did: inuse_space/bytes.
 *
 * @throws as `startHeapProfile()`
 */
export async function allocationProfile(): Promise<TimedProfile> {
  const startedAtMs = Date.now();
  const recording = await startHeapProfile();
  const encode = async () => {
    const { head } = await recording.stop();
    const builder = new PprofBuilder([["inuse_space", "bytes"]], ["space", "bytes"], HEAP_INTERVAL_BYTES);
    builder.setTime(startedAtMs, Date.now() - startedAtMs);
    builder.addComment(
      "Objects of V8's heap that were allocated while this profile was taken and were not freed by its end. " +
        "The contents of buffers lie outside of that heap and are not included.",
    );
    for (const child of head.children) addHeapNode(builder, child, []);
    return await builder.encode();
  };
  return { encode, discard: recording.discard };
}

function addHeapNode(builder: PprofBuilder, node: V8HeapNode, callers: readonly number[]): void {
  const stack = [builder.location(frameOf(node.callFrame)), ...callers];
  if (node.selfSize > 0) builder.addSample(stack, [node.selfSize]);
  for (const child of node.children) addHeapNode(builder, child, stack);
}

/** A part of the memory of the process, in bytes. */
interface MemoryPart {
  readonly name: string;
  readonly group: string;
  readonly bytes: number;
}

function memoryParts(): MemoryPart[] {
  const { rss, heapTotal, external, arrayBuffers } = memoryUsage();
  const spaces = getHeapSpaceStatistics().flatMap(({ space_name, space_size, space_used_size }) => [
    { name: `${space_name} (used)`, group: "V8 heap", bytes: space_used_size },
    { name: `${space_name} (free)`, group: "V8 heap", bytes: Math.max(space_size - space_used_size, 0) },
  ]);
  const parts = [
    ...spaces,
    { name: "contents of buffers", group: "outside of the heap", bytes: arrayBuffers },
    { name: "other", group: "outside of the heap", bytes: Math.max(external - arrayBuffers, 0) },
    { name: "resident, not V8's", group: "process", bytes: Math.max(rss - heapTotal - external, 0) },
  ];
  return parts.filter(({ bytes }) => bytes > 0);
}

/** How much memory is in use at this moment, by kind: inuse_space/bytes. */
export async function memoryProfile(): Promise<Uint8Array<ArrayBuffer>> {
  const builder = new PprofBuilder([["inuse_space", "bytes"]], ["space", "bytes"], 1);
  builder.setTime(Date.now(), 0);
  builder.addComment("The memory of the process by kind. Ask with ?seconds=N for allocations by function.");
  for (const { name, group, bytes } of memoryParts()) {
    const stack = [name, group].map((text) => builder.location({ name: text, file: "", line: 0 }));
    builder.addSample(stack, [bytes]);
  }
  return await builder.encode();
}

/** The same as text, a line for each kind. */
export function memoryText(): string {
  const lines = memoryParts().map(({ name, group, bytes }) =>
    `${String(bytes).padStart(12)}  ${group}: ${name}`
  );
  return `       bytes  memory of the process by kind\n${lines.join("\n")}\n`;
}
