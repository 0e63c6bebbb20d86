/**
 * The paths that an API knows: which methods each has, and which one is meant by a path that is spelled
 * differently. Asked only about requests that no handler matched.
 */

interface KnownPath {
  readonly path: string;
  /** Between the slashes; one that starts with `:` stands for any text. */
  readonly segments: readonly string[];
  readonly methods: string[];
}

export class PathTable {
  readonly #known: KnownPath[] = [];

  /** @param path such as `/ping` or `/config/:opt` */
  add(method: string, path: string): void {
    const known = this.#known.find((candidate) => candidate.path === path);
    if (known !== undefined) known.methods.push(method);
    else this.#known.push({ path, segments: segmentsOf(path), methods: [method] });
  }

  /** The methods for exactly this path, OPTIONS included, as in the header `Allow`; undefined when unknown. */
  allow(path: string): string | undefined {
    const known = this.#known.find((candidate) => spell(candidate, segmentsOf(path)) === path);
    return known === undefined ? undefined : [...known.methods, "OPTIONS"].sort().join(", ");
  }

  /**
   * How the path that has `method` is really spelled, when `path` differs from it only by letter case, doubled
   * slashes, dots, or a slash at the end; else undefined.
   */
  canonical(method: string, path: string): string | undefined {
    const segments = resolveDots(segmentsOf(path));
    for (const known of this.#known) {
      if (!known.methods.includes(method)) continue;
      const spelled = spell(known, segments);
      if (spelled !== undefined) return spelled === path ? undefined : spelled;
    }
    return undefined;
  }
}

function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function resolveDots(segments: readonly string[]): string[] {
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === "..") resolved.pop();
    else if (segment !== ".") resolved.push(segment);
  }
  return resolved;
}

/** The known path with `segments` in the place of its parameters; undefined when they do not match it. */
function spell(known: KnownPath, segments: readonly string[]): string | undefined {
  if (segments.length !== known.segments.length) return undefined;
  let path = "";
  for (let i = 0; i < segments.length; i++) {
    const expected = known.segments[i];
    const isParameter = expected.startsWith(":");
    if (!isParameter && expected.toLowerCase() !== segments[i].toLowerCase()) return undefined;
    path += `/${isParameter ? segments[i] : expected}`;
  }
  return known.path.endsWith("/") ? `${path}/` : path;
}
