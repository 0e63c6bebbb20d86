import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import * as client from "../../src/client/mod.ts";

const CLIENT = fileURLToPath(new URL("../../src/client/mod.ts", import.meta.url));

/** The files that the client consists of, itself included. */
async function clientFiles(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", CLIENT] }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { specifier: string }[] };
  return modules.map(({ specifier }) => specifier);
}

Deno.test("The client exports what programs need", () => {
  for (
    const name of [
      "Consumer",
      "Producer",
      "bytes",
      "text",
      "json",
      "NsqError",
      "PublishError",
      "applyGoOption",
    ]
  ) {
    assert.ok(name in client, name);
  }
});

Deno.test("The client uses nothing of Deno, and of npm only snappyjs", async () => {
  const specifiers = await clientFiles();
  const files = specifiers.filter((specifier) => specifier.startsWith("file:"));
  assert.ok(files.length > 20, `${files.length} files`);
  for (const file of files) {
    const uses = (await Deno.readTextFile(new URL(file))).match(/\bDeno\.\w+/);
    assert.equal(uses, null, file);
  }
  const others = specifiers.filter((specifier) => !/^(file|node):/.test(specifier));
  for (const other of others) assert.match(other, /\bsnappyjs@/);
});

Deno.test("The client loads sockets and compression only when they are needed, so that browsers can load it", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", CLIENT] }).output();
  interface Module {
    specifier: string;
    dependencies?: { isDynamic?: boolean; code?: { specifier: string } }[];
  }
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const [{ specifier: first }] = modules.filter(({ specifier }) => specifier.endsWith("/src/client/mod.ts"));
  const loaded = new Set([first]);
  for (const specifier of loaded) {
    for (const { isDynamic, code } of bySpecifier.get(specifier)?.dependencies ?? []) {
      if (isDynamic !== true && code !== undefined) loaded.add(code.specifier);
    }
  }
  assert.ok(loaded.size > 20);
  assert.deepEqual([...loaded].filter((specifier) => !specifier.startsWith("file:")), []);
});

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

for (
  const [what, args] of [
    ["Every public symbol of the package is documented, and none is hidden", [
      "doc",
      "--lint",
      ...Object.values(config.exports),
    ]],
    ["The package can be published", ["publish", "--dry-run", "--allow-dirty"]],
  ] as const
) {
  Deno.test(what, async () => {
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
    });
    const { code, stderr } = await command.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  });
}
