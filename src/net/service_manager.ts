/**
 * Tells the service manager (systemd, by its notify protocol) when the program is ready, reloads, stops, and that its
 * event loop still turns. Without `NOTIFY_SOCKET` in the environment there is nobody to tell.
 *
 * The protocol: datagrams of `KEY=value` lines to a Unix socket, see sd_notify(3). A datagram socket of the runtime
 * wants a path of its own, which is made beside the program's other run-time files.
 */
import type { Logger } from "../log/logger.ts";

/** What there is in the environment of a service. */
export interface ServiceEnvironment {
  /** Where to send; not spoken to when it begins with `@`, for no path leads there. */
  readonly NOTIFY_SOCKET?: string;
  /** The watchdog's patience, microseconds. */
  readonly WATCHDOG_USEC?: string;
  /** The process that the watchdog looks at. */
  readonly WATCHDOG_PID?: string;
  readonly RUNTIME_DIRECTORY?: string;
}

const VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"] as const;
/** Tells per patience of the watchdog. */
const TELLS_PER_PATIENCE = 3;

/** A socket that datagrams can be sent from. */
type Sender = ReturnType<typeof Deno.listenDatagram>;

export class ServiceManager {
  readonly #sender: Sender;
  readonly #path: string;
  readonly #ownPath: string;
  readonly #logger: Logger;
  readonly #patienceMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sent: Promise<unknown> = Promise.resolve();

  private constructor(sender: Sender, path: string, ownPath: string, patienceMs: number, logger: Logger) {
    this.#sender = sender;
    this.#path = path;
    this.#ownPath = ownPath;
    this.#patienceMs = patienceMs;
    this.#logger = logger;
  }

  /** The service manager that started this process, or null. What keeps it from being told is logged. */
  static find(logger: Logger, environment: ServiceEnvironment = readEnvironment()): ServiceManager | null {
    const { NOTIFY_SOCKET: path = "", RUNTIME_DIRECTORY, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    if (path === "") return null;
    const isWatched = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === Deno.pid;
    const patienceMs = isWatched ? Number(WATCHDOG_USEC ?? 0) / 1000 : 0;
    try {
      if (path.startsWith("@")) throw new Error(`${path} is an abstract address`);
      const folder = RUNTIME_DIRECTORY?.split(":")[0] ?? Deno.makeTempDirSync({ prefix: "nsq_notify_" });
      const ownPath = `${folder}/notify.${Deno.pid}`;
      const sender = Deno.listenDatagram({ transport: "unixpacket", path: ownPath });
      return new ServiceManager(sender, path, ownPath, patienceMs, logger);
    } catch (cause) {
      logger.warn(`the service manager is not told how this goes - ${(cause as Error).message}`);
      return null;
    }
  }

  /** The program serves. From now on the watchdog is fed. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
    if (!(this.#patienceMs > 0)) return;
    this.#timer = setInterval(() => this.#tell("WATCHDOG=1"), this.#patienceMs / TELLS_PER_PATIENCE);
  }

  /** What it does, in a line, for `systemctl status`. */
  status(text: string): void {
    this.#tell(`STATUS=${text}`);
  }

  /** The program stops. Resolves when that is told and nothing is left of this. */
  async stopping(): Promise<void> {
    this.#tell("STOPPING=1\nSTATUS=stopping");
    await this.#sent;
  }

  /** The program ended: lets go of the socket. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sent;
    this.#sender.close();
    try {
      Deno.removeSync(this.#ownPath);
    } catch (cause) {
      this.#logger.debug(`${this.#ownPath} is left - ${(cause as Error).message}`);
    }
  }

  #tell(lines: string): void {
    const bytes = new TextEncoder().encode(lines);
    const send = () => this.#sender.send(bytes, { transport: "unixpacket", path: this.#path });
    this.#sent = this.#sent.then(send).catch((cause: Error) => {
      this.#logger.debug(`the service manager was not told ${lines.split("\n")[0]} - ${cause.message}`);
    });
  }
}

function readEnvironment(): ServiceEnvironment {
  return Object.fromEntries(VARIABLES.map((name) => [name, Deno.env.get(name)]));
}
