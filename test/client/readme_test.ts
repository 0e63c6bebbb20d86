/** The examples of the client's page run as they stand, against a broker; only the port is another. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startBroker } from "../../src/client/testing/mod.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = new URL("../../src/client/README.md", import.meta.url);
const LIMIT_MS = 60_000;

/** What each example prints, in the order of the page. */
const OUTPUTS: readonly RegExp[] = [/^$/, /^$/, /^1 1\n$/, /^$/, /^one\n0\n$/, /^$/];

const examples = [...Deno.readTextFileSync(PAGE).matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code);

Deno.test("The client's page has an example for each expected output", () => {
  assert.equal(examples.length, OUTPUTS.length);
});

for (const [index, code] of examples.entries()) {
  Deno.test(`Example ${index + 1} of the client's page runs`, async () => {
    await using broker = await startBroker();
    // Inside of the checkout the name of the package means this one.
    await Deno.mkdir(`${CHECKOUT}/dist`, { recursive: true });
    const folder = await Deno.makeTempDir({ dir: `${CHECKOUT}/dist`, prefix: "example-" });
    try {
      const path = `${folder}/example.ts`;
      await Deno.writeTextFile(path, code.replaceAll("127.0.0.1:4150", broker.address));
      // Types are checked too: an example that does not compile is none.
      const { code: exit, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--check", "-A", path],
        cwd: CHECKOUT,
        env: { NO_COLOR: "1" },
        signal: AbortSignal.timeout(LIMIT_MS),
      }).output();
      const said = new TextDecoder().decode(stderr);
      assert.equal(exit, 0, said);
      assert.match(new TextDecoder().decode(stdout), OUTPUTS[index], said);
      if (index < 2) await assert.rejects(broker.settled({ timeoutMs: 0 }), /orders has \d waiting/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
