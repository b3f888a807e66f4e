/** The shortest list that still offends: halves first, then smaller pieces, then single frames. */
export async function reduce<T>(
  items: readonly T[],
  offends: (fewer: readonly T[]) => Promise<boolean>,
  attemptsMax = 300,
): Promise<readonly T[]> {
  let best = items;
  let attempts = 0;
  for (
    let size = Math.ceil(best.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best.length && attempts < attemptsMax;) {
      const fewer = [...best.slice(0, at), ...best.slice(at + size)];
      attempts++;
      if (fewer.length > 0 && (await offends(fewer))) best = fewer;
      else at += size;
    }
  }
  return best;
}
