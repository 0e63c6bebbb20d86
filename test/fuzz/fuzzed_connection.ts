/** A connection that a fuzzer talks on: frames are cut out of what comes and compared with what the model expects. */
import assert from "node:assert/strict";
import { latin1, readInt32, textOf } from "./bytes.ts";
import { ConnectionModel } from "./connection_model.ts";
import { excerpt } from "./target.ts";
import { type Wire, WireBehind } from "./wire.ts";

/** The sizes of nsqd's `--max-msg-size` and `--max-body-size`. */
export const LIMITS = { maxMsgSize: 400, maxBodySize: 2000 };
const MAX_IDS = 60;
const LIMIT_MS = 20_000;
const HEARTBEAT = "_heartbeat_";

/** One connection, and what the model says of it. */
export class FuzzedConnection {
  readonly ids: string[] = [];
  readonly model = new ConnectionModel(LIMITS);
  /** What follows the last expected answer is no frame but the beginning of the upgraded stream. */
  isUpgrading = false;
  frames = 0;
  messages = 0;
  #wire: Wire;
  /** What is received and no whole frame yet. */
  #rest = "";
  /** How many of the expected answers have come. */
  #matched = 0;
  #sent = "";

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /**
   * From here on the connection is upgraded; the first frame over `upgrade` is an OK. It may have come already,
   * right behind the answer to IDENTIFY.
   */
  async upgrade(upgrade: (wire: Wire) => Wire): Promise<void> {
    this.#wire = upgrade(new WireBehind(latin1(this.#rest), this.#wire));
    this.#rest = "";
    this.isUpgrading = false;
    this.model.answers.push({ text: "OK", isCertain: true, isPrefix: false });
    await this.readAnswers();
  }

  async send(text: string, nextSize: () => number): Promise<void> {
    this.#sent = (this.#sent + text).slice(-20_000);
    const bytes = latin1(text);
    for (let at = 0; at < bytes.length;) {
      const size = nextSize();
      await this.#wire.send(bytes.subarray(at, at + size));
      at += size;
    }
  }

  /** Reads until everything that is expected has come. */
  async readAnswers(): Promise<void> {
    while (this.#isAwaiting()) {
      if (await this.#read()) continue;
      const { text } = this.model.answers[this.#matched];
      assert.fail(`closed before ${excerpt(text)}, after ${this.#lastSent()}`);
    }
  }

  /** Reads to the end; all that is expected must have come by then, and nothing else. */
  async readToEnd(): Promise<void> {
    while (await this.#read()) { /* to the end */ }
    assert.equal(this.#rest, "", "the last frame is cut");
    if (!this.model.isUnsure) {
      assert.ok(!this.#isAwaiting(), `an answer is missing after ${this.#lastSent()}`);
    }
  }

  closeWrite(): Promise<void> {
    return this.#wire.closeWrite();
  }

  close(): void {
    this.#wire.close();
  }

  #isAwaiting(): boolean {
    const { answers } = this.model;
    for (let i = this.#matched; i < answers.length; i++) if (answers[i].isCertain) return true;
    return false;
  }

  #lastSent(): string {
    return excerpt(this.#sent, 20_000);
  }

  async #read(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer within ${LIMIT_MS} ms after ${this.#lastSent()}`)),
        LIMIT_MS,
      );
    });
    try {
      const received = await Promise.race([this.#wire.receive(), late]);
      if (received === null) return false;
      for (const bytes of received) this.#rest += textOf(bytes);
      this.#takeFrames();
      return true;
    } catch (error) {
      // Bytes that the server did not read turn its close into a reset; over TLS it may be a bare end.
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.UnexpectedEof) {
        return false;
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #takeFrames(): void {
    const text = this.#rest;
    let at = 0;
    while (text.length - at >= 8) {
      if (this.isUpgrading && !this.#isAwaiting()) break;
      const size = readInt32(text, at), type = readInt32(text, at + 4);
      assert.ok(
        size >= 4 && size <= 70_000 && type >= 0 && type <= 2,
        `a frame of type ${type}, ${size} bytes`,
      );
      const end = at + 4 + size;
      if (end > text.length) break;
      this.frames++;
      if (type === 2) this.#message(text, at + 8, end);
      else this.#answer(type, text.slice(at + 8, end));
      at = end;
    }
    this.#rest = text.slice(at);
  }

  #message(text: string, at: number, end: number): void {
    const id = text.slice(at + 10, at + 26), bodyBytes = end - at - 26;
    assert.match(id, /^[0-9a-f]{16}$/);
    assert.ok(bodyBytes >= 1 && bodyBytes <= LIMITS.maxMsgSize, `a body of ${bodyBytes} bytes`);
    assert.ok(text.charCodeAt(at + 8) + text.charCodeAt(at + 9) > 0, "attempts are 0");
    assert.notEqual(this.model.state, "init", "a message without SUB");
    this.messages++;
    if (this.ids.length < MAX_IDS) this.ids.push(id);
    else this.ids[this.messages % MAX_IDS] = id;
  }

  #answer(type: number, text: string): void {
    if (text === HEARTBEAT) return;
    assert.equal(type, text.startsWith("E_") ? 1 : 0, `type of ${excerpt(text)}`);
    const { answers, isUnsure } = this.model;
    for (; this.#matched < answers.length; this.#matched++) {
      const expected = answers[this.#matched];
      if (expected.isPrefix ? text.startsWith(expected.text) : text === expected.text) {
        this.#matched++;
        return;
      }
      if (expected.isCertain) break;
    }
    if (isUnsure) return;
    const expected = answers[this.#matched]?.text ?? "nothing";
    assert.fail(`answered ${excerpt(text)}, not ${excerpt(expected)}, to ${this.#lastSent()}`);
  }
}
