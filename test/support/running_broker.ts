/** A broker with everything real around it: its log in a fresh directory, TCP and HTTP on free ports. */
import { Broker } from "../../src/broker/broker.ts";
import { loadMetadata, MetadataWriter } from "../../src/durability/metadata.ts";
import { Persistence } from "../../src/durability/persistence.ts";
import type { Durability } from "../../src/broker/store.ts";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import { systemClock } from "../../src/clock/clock.ts";
import { type HttpServer, serve } from "../../src/http/server.ts";
import { ProcessMonitor } from "../../src/metrics/process_monitor.ts";
import { Logger } from "../../src/log/logger.ts";
import { createNsqdApp, type NsqdHttpOptions } from "../../src/nsqd/http/routes.ts";
import { Readiness } from "../../src/nsqd/http/readiness.ts";
import { TcpServer } from "../../src/nsqd/tcp/tcp_server.ts";
import { denoFileSystem, type FileSystem } from "../../src/storage/file_system.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import { version } from "../../src/version.ts";

const MIB = 1 << 20;
const NODE_ID = 5;

export const HTTP_OPTIONS: NsqdHttpOptions = {
  broadcastAddress: ["broker.example"],
  maxBodySize: 2000,
  maxDeflateLevel: 6,
  maxHeartbeatInterval: 60_000,
  maxMsgSize: 1000,
  maxOutputBufferSize: 65_536,
  maxOutputBufferTimeout: 30_000,
  maxReqTimeout: 3_600_000,
  topologyRegion: "",
  topologyZone: "",
};

export interface RunningBrokerSettings {
  durability?: Durability;
  fileSystem?: FileSystem;
  /** A directory to keep; without one a fresh one is made, and removed at the end. */
  directory?: string;
  /** Bytes of messages in memory. */
  memLimit?: number;
  /** 10,000 by default. */
  memQueueSize?: number;
}

export class RunningBroker implements AsyncDisposable {
  readonly broker: Broker;
  readonly tcp: TcpServer;
  readonly tcpPort: number;
  readonly http: HttpServer;
  /** Lines of the log so far. */
  readonly lines: string[] = [];
  readonly startedAtMs = systemClock.nowMs();
  readonly #monitor = new ProcessMonitor();
  readonly #readiness = new Readiness();
  readonly #persistence: Persistence;
  readonly #metadata: MetadataWriter;
  readonly #directory: string;
  readonly #keepsDirectory: boolean;

  constructor(settings: RunningBrokerSettings = {}) {
    const { durability = "os", fileSystem = denoFileSystem, directory, memLimit = 64 * MIB } = settings;
    const logger = new Logger("info", "", (line) => this.lines.push(line));
    this.#keepsDirectory = directory !== undefined;
    this.#directory = directory ?? Deno.makeTempDirSync();
    const pool = new BufferPool(MIB);
    const persistence = new Persistence(
      fileSystem,
      pool,
      {
        directory: this.#directory,
        maxBytesPerFile: 100 * MIB,
        durability,
        memLimit,
        syncEvery: 2500,
        syncTimeout: 2000,
      },
      systemClock,
      logger,
    );
    const options = {
      nodeId: NODE_ID,
      durability,
      memQueueSize: settings.memQueueSize ?? 10_000,
      queueScanInterval: 25,
    };
    const broker = new Broker(options, systemClock, persistence, pool);
    const metadataPath = `${this.#directory}/nsqd.dat`;
    persistence.open(broker, loadMetadata(fileSystem, metadataPath, logger));
    this.#metadata = new MetadataWriter(
      fileSystem,
      { path: metadataPath, version: version, syncsName: durability === "disk" },
      () => broker.topics.values(),
      logger,
    );
    persistence.onMetadataChange = (now) => this.#metadata.changed(now);
    this.#persistence = persistence;
    this.broker = broker;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.tcpPort = (listener.addr as Deno.NetAddr).port;
    const resolved = resolveOptions(nsqdOptions, [], { name: "nsqd", summary: "", versionText: "" });
    if (resolved.kind === "exit") throw new Error(resolved.text);
    const tcpOptions = {
      ...resolved.values,
      ...HTTP_OPTIONS,
      durability,
      nodeId: NODE_ID,
      deflate: false,
      snappy: false,
    };
    this.tcp = new TcpServer(listener, {
      broker,
      options: tcpOptions,
      logger,
      authenticator: null,
      tls: null,
    });
    const app = createNsqdApp({
      broker,
      persistence,
      server: this.tcp,
      monitor: this.#monitor,
      connections: this.tcp.connections,
      options: HTTP_OPTIONS,
      ports: () => ({ tcp: this.tcpPort, http: this.http.port }),
      startedAtMs: this.startedAtMs,
      readiness: this.#readiness,
      health: () => (broker.committer.failure ?? persistence.failure)?.message ?? null,
      logger,
    });
    this.http = serve("127.0.0.1:0", app, logger);
  }

  /** Copies what the broker has in its directory at this moment. */
  copyFiles(to: string): void {
    for (const entry of Deno.readDirSync(this.#directory)) {
      Deno.copyFileSync(`${this.#directory}/${entry.name}`, `${to}/${entry.name}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tcp.close();
    await this.http.shutdown();
    this.tcp.endAll();
    this.broker.endTurn();
    this.broker.stop();
    this.#monitor.stop();
    await this.#persistence.stop();
    this.#metadata.write();
    if (!this.#keepsDirectory) Deno.removeSync(this.#directory, { recursive: true });
  }
}
