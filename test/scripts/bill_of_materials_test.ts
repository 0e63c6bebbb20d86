import assert from "node:assert/strict";
import { billOfMaterials } from "../../scripts/bill_of_materials.ts";

const lock = {
  npm: {
    "@scope/a@1.0.0": { integrity: "sha512-AAEC" },
    "b@2.0.0": { integrity: "sha512-/////w==" },
    "test-only@3.0.0": { integrity: "sha512-AAAA" },
  },
};
const info = {
  modules: [{}, { npmPackage: "@scope/a@1.0.0" }],
  npmPackages: {
    "test-only@3.0.0": { name: "test-only", version: "3.0.0", dependencies: [] },
    "b@2.0.0": { name: "b", version: "2.0.0", dependencies: [] },
    "@scope/a@1.0.0": { name: "@scope/a", version: "1.0.0", dependencies: ["b@2.0.0"] },
  },
};

Deno.test("billOfMaterials() lists the runtime and the packages that the program reaches, with their digests", () => {
  const bill = billOfMaterials(info, lock, "1.3.0", "2.9.6") as {
    components: { name: string; purl: string; hashes?: { alg: string; content: string }[] }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  assert.deepEqual(bill.components.map(({ purl }) => purl), [
    "pkg:github/denoland/deno@v2.9.6",
    "pkg:npm/%40scope/a@1.0.0",
    "pkg:npm/b@2.0.0",
  ]);
  assert.deepEqual(bill.components[1].hashes, [{ alg: "SHA-512", content: "000102" }]);
  assert.deepEqual(bill.dependencies.map(({ dependsOn }) => dependsOn), [
    ["pkg:github/denoland/deno@v2.9.6", "pkg:npm/%40scope/a@1.0.0"],
    ["pkg:npm/b@2.0.0"],
    [],
  ]);
});

Deno.test("billOfMaterials() refuses a package whose digest nobody knows", () => {
  assert.throws(
    () => billOfMaterials(info, { npm: {} }, "1.3.0", "2.9.6"),
    /@scope\/a@1\.0\.0 is not in deno\.lock/,
  );
});
