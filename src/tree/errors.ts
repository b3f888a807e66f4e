/** A snapshot that cannot be a tree: what the world gave us is wrong, so it is refused, not repaired. */
export class TreeLoadError extends Error {
  override readonly name = 'TreeLoadError';
}
