/** `standalone` as a user runs it: one process that serves both, and one stop. */
import assert from "node:assert/strict";

const LIMIT_MS = 30_000;

/** Reads the log of `child` until every listener has told where it listens. */
async function listeners(child: Deno.ChildProcess): Promise<string[]> {
  const found: string[] = [], decoder = new TextDecoder();
  let text = "";
  const reader = child.stderr.getReader();
  while (found.length < 4) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`ended before it listened:\n${text}`);
    text += decoder.decode(value, { stream: true });
    found.length = 0;
    for (
      const [, service, address] of text.matchAll(/^(\[nsq\w+\]) .* (?:TCP|HTTP): listening on (\S+)$/gm)
    ) {
      found.push(`${service} ${address}`);
    }
  }
  reader.releaseLock();
  // Drained, or a full pipe would stop the process.
  void child.stderr.pipeTo(new WritableStream());
  return found;
}

Deno.test({
  name: "standalone registers its topics with its own lookupd, and stops with exit code 0",
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "standalone-test-" });
    const any = "127.0.0.1:0";
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...[
          "run",
          "-A",
          "main.ts",
          "standalone",
          `--data-path=${directory}`,
          "--broadcast-address=127.0.0.1",
        ],
        ...[`--tcp-address=${any}`, `--http-address=${any}`],
        ...[`--lookupd-listen-tcp-address=${any}`, `--lookupd-listen-http-address=${any}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    try {
      const [, lookupdHttp, nsqdTcp, nsqdHttp] = (await listeners(child)).map((line) => line.split(" ")[1]);
      const publish = await fetch(`http://${nsqdHttp}/pub?topic=orders`, { method: "POST", body: "one" });
      assert.equal(await publish.text(), "OK");
      const deadlineMs = performance.now() + LIMIT_MS;
      for (;;) {
        const answer = await (await fetch(`http://${lookupdHttp}/lookup?topic=orders`)).json();
        if (answer.producers?.length === 1) {
          assert.equal(`127.0.0.1:${answer.producers[0].tcp_port}`, nsqdTcp);
          break;
        }
        assert.ok(performance.now() < deadlineMs, "the topic was not registered");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
      const { topics } = JSON.parse(await Deno.readTextFile(`${directory}/nsqd.dat`));
      assert.deepEqual(topics, [{ name: "orders", paused: false, channels: null }]);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
      await Deno.remove(directory, { recursive: true });
    }
  },
});
