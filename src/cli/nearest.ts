/** What somebody meant who wrote a word that nobody knows. */

/** Null: nothing is as near as a slip of the fingers. */
export function nearest(name: string, known: readonly string[]): string | null {
  const near = known.map((word) => ({ word, distance: editDistance(name, word) }));
  near.sort((one, other) => one.distance - other.distance);
  const [first] = near;
  return first !== undefined && first.distance <= Math.max(1, first.word.length / 3)
    ? first.word
    : null;
}

/** Letters to insert, delete or change. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1];
    for (let to = 0; to < other.length; to++) {
      const changed = (row[to] ?? 0) + Number(one[at] !== other[to]);
      next.push(Math.min(changed, (row[to + 1] ?? 0) + 1, (next[to] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
