/** Compares versions of nodes. */

/** Below 0 when `a` is older than `b`, above 0 when newer; what is no version counts as 0.0.0. */
export function compareVersions(a: string, b: string): number {
  const left = parse(a), right = parse(b);
  for (let at = 0; at < 3; at++) {
    if (left.numbers[at] !== right.numbers[at]) return left.numbers[at] - right.numbers[at];
  }
  // A version before its release, such as 1.3.1-alpha, is older than that.
  if (left.suffix === right.suffix) return 0;
  if (left.suffix === "" || right.suffix === "") return left.suffix === "" ? 1 : -1;
  return left.suffix < right.suffix ? -1 : 1;
}

function parse(version: string): { numbers: [number, number, number]; suffix: string } {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(version);
  if (match === null) return { numbers: [0, 0, 0], suffix: "" };
  return { numbers: [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)], suffix: match[4] ?? "" };
}
