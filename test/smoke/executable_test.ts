/**
 * Proves that the compiled program serves: `NSQ_EXECUTABLE` names the executable to try. TLS is left out,
 * because the executable may be compiled with an older Deno than the pinned one.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

const EXECUTABLE = Deno.env.get("NSQ_EXECUTABLE");
/** After this the process is killed, which fails whatever still waits for it. */
const DEADLINE_MS = 60_000;
const FRAME_RESPONSE = 0;
const FRAME_MESSAGE = 2;

/** A running nsqd of the executable; what it logs is kept for failures. */
class Nsqd {
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #logged: Promise<void>;
  readonly #deadline: ReturnType<typeof setTimeout>;
  /** Whether the process is gone; its last words may still be on their way. */
  #gone = false;
  #logEnded = false;
  #heard: () => void = () => {};

  constructor(executable: string, dataPath: string) {
    this.#child = new Deno.Command(executable, {
      args: [
        "nsqd",
        "--tcp-address=127.0.0.1:0",
        "--http-address=127.0.0.1:0",
        `--data-path=${dataPath}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child.status.then(() => this.#gone = true);
    this.#logged = this.#follow();
    this.#deadline = setTimeout(() => this.#child.kill("SIGKILL"), DEADLINE_MS);
  }

  async #follow(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      this.#heard();
    }
    this.#logEnded = true;
    this.#heard();
  }

  /** Resolves with the port that the log names for `listener`. */
  async port(listener: "TCP" | "HTTP"): Promise<number> {
    const pattern = new RegExp(` ${listener}: listening on 127\\.0\\.0\\.1:(\\d+)\\n`);
    for (;;) {
      const found = pattern.exec(this.log);
      if (found !== null) return Number(found[1]);
      if (this.#logEnded) throw new Error(`nsqd ended before its ${listener} port was open:\n${this.log}`);
      await new Promise<void>((resolve) => this.#heard = resolve);
    }
  }

  /** Sends `signal`, unless the process has ended, and resolves with how it ended. */
  async end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    if (!this.#gone) this.#child.kill(signal);
    const status = await this.#child.status;
    await this.#logged;
    clearTimeout(this.#deadline);
    return status;
  }
}

/** Runs `body` with an nsqd on a fresh data path; both are gone afterwards. */
async function withNsqd(executable: string, body: (nsqd: Nsqd) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir({ prefix: "nsq_smoke_" });
  const nsqd = new Nsqd(executable, dataPath);
  try {
    await body(nsqd);
  } finally {
    await nsqd.end("SIGKILL");
    await Deno.remove(dataPath, { recursive: true });
  }
}

/** A V2 connection that sends lines and reads whole frames. */
class V2Connection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #received = Buffer.alloc(0);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(port: number): Promise<V2Connection> {
    const connection = new V2Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
    await connection.send("  V2");
    return connection;
  }

  async send(text: string): Promise<void> {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
  }

  async readFrame(): Promise<{ type: number; data: Buffer }> {
    const header = await this.#read(8);
    return { type: header.readInt32BE(4), data: await this.#read(header.readInt32BE(0) - 4) };
  }

  async #read(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes) {
      const chunk = Buffer.alloc(4096);
      const count = await this.#conn.read(chunk);
      if (count === null) throw new Error(`nsqd closed the connection, ${bytes} bytes were due`);
      this.#received = Buffer.concat([this.#received, chunk.subarray(0, count)]);
    }
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

async function publish(port: number, topic: string, body: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/pub?topic=${topic}`, { method: "POST", body });
  assert.equal(await response.text(), "OK");
  assert.equal(response.status, 200);
}

if (EXECUTABLE === undefined) console.log("The smoke test is skipped: NSQ_EXECUTABLE names no executable");

Deno.test({
  name: "nsq nsqd, compiled, delivers a message and stops cleanly on SIGTERM",
  ignore: EXECUTABLE === undefined,
  fn: () =>
    withNsqd(EXECUTABLE!, async (nsqd) => {
      await publish(await nsqd.port("HTTP"), "t", "hello");

      using consumer = await V2Connection.open(await nsqd.port("TCP"));
      await consumer.send("SUB t c\nRDY 1\n");
      const subscribed = await consumer.readFrame();
      assert.deepEqual([subscribed.type, subscribed.data.toString()], [FRAME_RESPONSE, "OK"]);

      const message = await consumer.readFrame();
      assert.equal(message.type, FRAME_MESSAGE);
      assert.equal(message.data.readUInt16BE(8), 1, "attempts");
      assert.equal(message.data.toString("utf8", 26), "hello");

      // FIN has no answer of its own; a failed one would come before that of CLS.
      await consumer.send(`FIN ${message.data.toString("latin1", 10, 26)}\nCLS\n`);
      const closing = await consumer.readFrame();
      assert.deepEqual([closing.type, closing.data.toString()], [FRAME_RESPONSE, "CLOSE_WAIT"]);

      const { code, signal } = await nsqd.end("SIGTERM");
      assert.deepEqual([code, signal], [0, null], nsqd.log);
    }),
});
