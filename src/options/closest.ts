/** Finds what somebody probably meant, for "did you mean" lines. */

/**
 * Returns the candidate that is most like `word`, or undefined when none is alike enough: one that
 * `word` begins or is contained in, or one at most a third of its length away in edits.
 */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = normalize(word);
  if (wanted === "") return undefined;
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = likeness(wanted, normalize(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Case, dashes and underscores are what people mix up. */
function normalize(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, "");
}

/** Edits between the words, or infinity when they are too far apart to be a slip. */
function likeness(wanted: string, candidate: string): number {
  const distance = editDistance(wanted, candidate);
  if (distance <= Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))) return distance;
  const isPart = wanted.length >= 4 && (candidate.includes(wanted) || wanted.includes(candidate));
  return isPart && candidate.length >= 4 ? distance : Infinity;
}

/** Counts the insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        previous[column] + 1,
        current[column - 1] + 1,
        previous[column - 1] + (isSame ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) cost = Math.min(cost, beforePrevious[column - 2] + 1);
      current.push(cost);
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[b.length];
}
