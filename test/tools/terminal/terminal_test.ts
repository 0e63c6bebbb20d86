/** The utilities on a terminal, which `script` of util-linux plays; that they are plain when piped, other tests show. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../../support/program_process.ts";
import { numbered, TestBroker } from "../test_broker.ts";

const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));
const COLUMNS = 70;
const ROWS = 12;

/** Whether there is a `script` with the options that are used here. */
async function canPlayTerminal(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("script", { args: ["-qfec", "true", "/dev/null"] }).output();
    return success;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw cause;
  }
}

const canPlay = await canPlayTerminal();
if (!canPlay) console.log("Skipped: the tests on a terminal, because there is no script of util-linux");

/** A utility on a terminal of 70 columns and 12 rows. */
class OnTerminal implements AsyncDisposable {
  /** All that it wrote. */
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;
  #isOver = false;

  constructor(command: string, flags: readonly string[]) {
    const words = [Deno.execPath(), "run", "--no-prompt", "-A", "main.ts", command, ...flags];
    const shell = `stty cols ${COLUMNS} rows ${ROWS}; exec ${words.map((word) => `'${word}'`).join(" ")}`;
    this.#child = new Deno.Command("script", {
      args: ["-qfec", shell, "/dev/null"],
      cwd: CHECKOUT,
      env: { TERM: "xterm-256color" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = this.#follow();
    this.#child.status.then(() => this.#isOver = true);
  }

  async type(keys: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(keys));
  }

  async until(what: string, isTrue: (output: string) => boolean): Promise<void> {
    await until(what, () => isTrue(this.output), () => JSON.stringify(this.output.slice(-2_000)));
  }

  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The end of the terminal is a SIGHUP for whoever runs on it.
    if (!this.#isOver) this.#child.kill("SIGKILL");
    await this.ended();
    await this.#input.close().catch(() => "it ended");
  }

  async #follow(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) this.output += decoder.decode(bytes, { stream: true });
  }
}

/** What is seen: without the sequences that colour and place text. */
function seen(output: string): string {
  // deno-lint-ignore no-control-regex -- that is how the sequences begin
  return output.replace(/\x1b\[[?\d;]*[A-Za-z]/g, "");
}

Deno.test({
  name: "nsq stat on a terminal shows all channels, sorts at a key, and leaves the window as it was",
  ignore: !canPlay,
  async fn() {
    await using broker = await TestBroker.start();
    for (let i = 0; i < 20; i++) await broker.createChannel(`topic_${i}`, "c");
    await broker.publish("topic_7", "a", "b");
    await using stat = new OnTerminal("stat", [`--nsqd-http-address=${broker.http}`, "--interval=50ms"]);
    await stat.until(
      "the channels",
      (output) => seen(output).includes("by depth") && output.includes("topic_7/c"),
    );
    const [page] = stat.output.split("\u001b[H").slice(-1).map((text) => seen(text).split(/\r*\n/));
    assert.ok(page.length <= ROWS && page.every((line) => line.length <= COLUMNS), page.join("\n"));
    assert.match(page[2], /^topic_7\/c +0 +0 +2 /);
    await stat.type("s");
    await stat.until("another order", (output) => seen(output).includes("by ingress"));
    await stat.type("q");
    assert.equal(await stat.ended(), 0);
    const [opened, closed] = ["\u001b[?1049h", "\u001b[?1049l"].map((text) => stat.output.indexOf(text));
    assert.ok(opened >= 0 && closed > opened, JSON.stringify(stat.output.slice(-200)));
  },
});

Deno.test({
  name: "nsq pub --file on a terminal shows how far it is",
  ignore: !canPlay,
  async fn() {
    await using broker = await TestBroker.start();
    const directory = await Deno.makeTempDir({ prefix: "nsq-terminal-" });
    try {
      const path = join(directory, "messages");
      await Deno.writeTextFile(path, numbered("message ", 50).join("\n"));
      const flags = ["--topic=orders", `--nsqd-tcp-address=${broker.tcp}`, `--file=${path}`, "--rate=100"];
      await using pub = new OnTerminal("pub", flags);
      assert.equal(await pub.ended(), 0);
      assert.match(seen(pub.output), /publishing [█░]{24} \d+% /);
      assert.match(seen(pub.output), /publishing █{24} 100% /);
      assert.match(seen(pub.output), /published 50 messages/);
      assert.equal(await broker.topicDepth("orders"), 50);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "nsq bench on a terminal shows a bar, then the table",
  ignore: !canPlay,
  async fn() {
    await using broker = await TestBroker.start();
    const flags = [
      `--nsqd-tcp-address=${broker.tcp}`,
      `--nsqd-http-address=${broker.http}`,
      "--duration=300ms",
    ];
    await using bench = new OnTerminal("bench", flags);
    assert.equal(await bench.ended(), 0);
    assert.match(seen(bench.output), /both plain +[█░]{24} \d+%/);
    assert.match(seen(bench.output), /work +over +messages +seconds +msg\/s/);
  },
});
