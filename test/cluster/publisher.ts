/** Publishes to one nsqd all the time, and remembers what was answered OK. */
const PAUSE_MS = 10;
const ANSWER_LIMIT_MS = 1_000;

export class Publisher implements AsyncDisposable {
  /** Bodies whose publishing was answered OK, oldest first. */
  readonly confirmed: string[] = [];
  readonly #url: string;
  readonly #name: string;
  readonly #running: Promise<void>;
  #isStopping = false;

  /** Starts at once; `name` begins the bodies, which are all different. */
  constructor(name: string, httpAddress: string, topic: string) {
    this.#name = name;
    this.#url = `http://${httpAddress}/pub?topic=${topic}`;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    for (let number = 1; !this.#isStopping; number++) {
      const body = `${this.#name}-${number}`;
      if (await this.#publish(body)) this.confirmed.push(body);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Resolves with false when it is not known whether the message is there. */
  async #publish(body: string): Promise<boolean> {
    const answering = new AbortController();
    const timer = setTimeout(() => answering.abort(), ANSWER_LIMIT_MS);
    try {
      const response = await fetch(this.#url, { method: "POST", body, signal: answering.signal });
      return await response.text() === "OK";
    } catch (error) {
      if (error instanceof TypeError || answering.signal.aborted) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
