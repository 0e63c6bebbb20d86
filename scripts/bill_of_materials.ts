/** The bill of materials of a release, in CycloneDX 1.6: what packages and what runtime are in the executables. */
import { Buffer } from "node:buffer";

/** What of `deno.lock` is read here. */
export interface LockFile {
  npm: Record<string, { integrity: string }>;
}

/** What of `deno info --json` is read here. */
export interface ProgramInfo {
  /** Everything that is imported; of npm's those have `npmPackage`, a key of `npmPackages`. */
  modules: { npmPackage?: string }[];
  /** All of the lock file, also what only tests import. */
  npmPackages: Record<string, { name: string; version: string; dependencies: string[] }>;
}

/**
 * The document as an object. It has no time and no serial number: the same sources give the same text.
 *
 * @param deno version of the runtime
 * @throws when a package is not in the lock file
 */
export function billOfMaterials(info: ProgramInfo, lock: LockFile, version: string, deno: string): object {
  const direct = new Set(info.modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  const reached = reachedFrom(direct, info);
  const packages = Object.entries(info.npmPackages).filter(([key]) => reached.has(key)).sort(byKey);
  const reference = (key: string) => {
    const { name, version } = info.npmPackages[key];
    return `pkg:npm/${name.replace("@", "%40")}@${version}`;
  };
  const program = `pkg:generic/nsq@${version}`, runtime = `pkg:github/denoland/deno@v${deno}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "application", name: "nsq", version, "bom-ref": program, purl: program } },
    components: [
      { type: "platform", name: "deno", version: deno, "bom-ref": runtime, purl: runtime },
      ...packages.map(([key, { name, version }]) => ({
        type: "library",
        name,
        version,
        "bom-ref": reference(key),
        purl: reference(key),
        hashes: [hashOf(key, lock)],
      })),
    ],
    dependencies: [
      {
        ref: program,
        dependsOn: [
          runtime,
          ...packages.filter(([key]) => direct.has(key)).map(([key]) => reference(key)),
        ],
      },
      ...packages.map(([key, { dependencies }]) => ({
        ref: reference(key),
        dependsOn: dependencies.map(reference),
      })),
    ],
  };
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** The packages `from`, and all that they depend on. */
function reachedFrom(from: ReadonlySet<string>, { npmPackages }: ProgramInfo): Set<string> {
  const reached = new Set(from);
  for (const key of reached) for (const dependency of npmPackages[key].dependencies) reached.add(dependency);
  return reached;
}

function hashOf(key: string, lock: LockFile): { alg: string; content: string } {
  const integrity = lock.npm[key]?.integrity;
  if (integrity === undefined) throw new Error(`${key} is not in deno.lock`);
  const [, base64] = /^sha512-(.+)$/.exec(integrity) ?? [];
  if (base64 === undefined) throw new Error(`${key} has no SHA-512 in deno.lock`);
  return { alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") };
}
