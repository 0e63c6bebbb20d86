/** A browser for tests of pages: Chromium, driven by playwright-core in a process of Node. */
import { fileURLToPath } from "node:url";
// Both are fetched by being imported; Node reads them from where Deno keeps packages.
import "axe-core/package.json" with { type: "json" };
import "playwright-core/package.json" with { type: "json" };

const DRIVER = fileURLToPath(new URL("../ui/driver/driver.mjs", import.meta.url));
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Browser implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #count = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#ended = this.#follow();
  }

  /** Starts it; says on the console why not, and resolves with null, where Node or Chromium is missing. */
  static async start(): Promise<Browser | null> {
    const browserPath = BROWSERS.find(isFile);
    const hasNode = await new Deno.Command("node", { args: ["--version"], stdout: "null", stderr: "null" })
      .output()
      .then(({ success }) => success, () => false);
    if (browserPath === undefined || !hasNode) {
      console.log(
        `skipped: needs ${browserPath === undefined ? BROWSERS.join(" or ") : "node"} to open pages`,
      );
      return null;
    }
    const child = new Deno.Command("node", {
      args: [DRIVER, packagePath("playwright-core", "."), browserPath, packagePath("axe-core", "axe.min.js")],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new Browser(child);
  }

  /** Runs an export of `test/ui/driver/scenarios.mjs`. @throws with what went wrong in it */
  async run(scenario: string, args: Record<string, unknown>): Promise<unknown> {
    const id = ++this.#count;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    await this.#input.write(new TextEncoder().encode(JSON.stringify({ id, scenario, args }) + "\n"));
    return await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#ended;
    await this.#child.status;
  }

  async #follow(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream() as TransformStream)) {
      const lines: string[] = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(JSON.parse(line));
    }
    for (const { reject } of this.#waiting.values()) reject(new Error("the browser's driver has ended"));
  }

  #take({ id, value, error }: { id: number; value?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Where Deno keeps a file of an npm package that the import map names. */
function packagePath(name: string, file: string): string {
  return fileURLToPath(new URL(file, import.meta.resolve(`${name}/package.json`)));
}
