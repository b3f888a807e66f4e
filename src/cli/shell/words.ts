/**
 * A line of the shell as words. The rules are those that scripts for zkCli rely on: a word that begins
 * with a quote goes to the next such quote, any other goes to the next white space, quotes in the
 * middle of it included; a quote that nothing closes is not there.
 */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [whole, double, single] of line.matchAll(/"([^"]*)"|'([^']*)'|[^\s"']\S*/g)) {
    words.push(double ?? single ?? whole);
  }
  return words;
}
