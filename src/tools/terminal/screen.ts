/**
 * The window of a terminal: a page of it that is drawn again and again, and single keys.
 *
 * The page is the terminal's other screen, so that what stood there before is there again afterwards.
 * Tested in test/tools/terminal/terminal_test.ts.
 */

const encoder = new TextEncoder();
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/** Whether colour is wanted on standard output or error: on a terminal, unless NO_COLOR is set. */
export function isColoured(stream: "stdout" | "stderr"): boolean {
  return Deno[stream].isTerminal() && !Deno.noColor;
}

/** Of the window now. */
export function windowSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
  } catch {
    // Not on a terminal.
    return DEFAULT_SIZE;
  }
}

export class Screen implements Disposable {
  readonly #onKey: (key: string) => void;
  #isOpen = true;
  #isRaw = false;

  /** @param onKey gets each key; Ctrl-C stays a signal */
  constructor(onKey: (key: string) => void) {
    this.#onKey = onKey;
    write("\x1b[?1049h\x1b[?25l");
    if (!Deno.stdin.isTerminal()) return;
    Deno.stdin.setRaw(true, { cbreak: true });
    this.#isRaw = true;
    void this.#readKeys();
  }

  /** Shows `lines` and nothing else. */
  draw(lines: readonly string[]): void {
    if (this.#isOpen) write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#isRaw) Deno.stdin.setRaw(false);
    write("\x1b[?25h\x1b[?1049l");
  }

  async #readKeys(): Promise<void> {
    const bytes = new Uint8Array(16);
    while (this.#isOpen) {
      const count = await Deno.stdin.read(bytes);
      if (count === null) return;
      for (const byte of bytes.subarray(0, count)) this.#onKey(String.fromCharCode(byte));
    }
  }
}

function write(text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
