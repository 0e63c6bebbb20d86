/** What is measured of the process all the time: the delay of its event loop, and garbage collection once asked for. */
import { getHeapStatistics } from "node:v8";
import { cpuUsage } from "node:process";
import { EventLoopDelay } from "./event_loop_delay.ts";
import { GarbageCollection } from "./garbage_collection.ts";
import { labelsText, type MetricsWriter } from "./text_format.ts";

/** How often V8's records of collections are taken over. */
const DRAIN_INTERVAL_MS = 5000;
const US_PER_SECOND = 1e6;

export class ProcessMonitor {
  readonly eventLoopDelay: EventLoopDelay;
  readonly garbageCollection: GarbageCollection = new GarbageCollection();
  readonly #startedAtMs = performance.timeOrigin;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param isActive asked now and then: whether anything happened since the last time */
  constructor(isActive?: () => boolean) {
    this.eventLoopDelay = new EventLoopDelay(isActive);
  }

  start(): void {
    this.eventLoopDelay.start();
    this.#timer = setInterval(() => this.garbageCollection.drain(), DRAIN_INTERVAL_MS);
  }

  stop(): void {
    this.eventLoopDelay.stop();
    clearInterval(this.#timer);
    this.garbageCollection.stop();
  }

  /** Writes all that is known of the process. */
  write(to: MetricsWriter): void {
    this.#writeMemory(to);
    this.#writeGarbageCollection(to);
    const cpu = cpuUsage();
    to.head("process_cpu_seconds_total", "counter", "Processor time of all threads of the process");
    to.sample(cpu.user / US_PER_SECOND, labelsText({ mode: "user" }));
    to.sample(cpu.system / US_PER_SECOND, labelsText({ mode: "system" }));
    to.gauge("process_start_time_seconds", "Start of the process, Unix time", this.#startedAtMs / 1000);
    to.histogram("event_loop_delay_seconds", "How late the event loop is", this.eventLoopDelay.histogram);
  }

  #writeMemory(to: MetricsWriter): void {
    const heap = getHeapStatistics();
    to.gauge("process_resident_memory_bytes", "Resident memory of the process", Deno.memoryUsage().rss);
    to.gauge("heap_used_bytes", "JavaScript heap in use", heap.used_heap_size);
    to.gauge("heap_size_bytes", "JavaScript heap taken from the system", heap.total_heap_size);
    to.gauge("heap_limit_bytes", "Size that the JavaScript heap may reach", heap.heap_size_limit);
    to.gauge("heap_external_bytes", "Memory outside of the heap that it holds", heap.external_memory);
  }

  #writeGarbageCollection(to: MetricsWriter): void {
    const { kinds } = this.garbageCollection.figures();
    const labels = [...kinds.keys()].map((kind) => labelsText({ kind })), totals = [...kinds.values()];
    to.head("gc_runs_total", "counter", "Garbage collections since the first look at these metrics");
    totals.forEach(({ runs }, i) => to.sample(runs, labels[i]));
    to.head("gc_pause_seconds_total", "counter", "Time that garbage collections stopped the program for");
    totals.forEach(({ seconds }, i) => to.sample(seconds, labels[i]));
  }
}
