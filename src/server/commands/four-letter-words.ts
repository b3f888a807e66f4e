/**
 * The four-letter words: the first four bytes of a connection, where a frame would have its length.
 * A connection that begins with one of these numbers is not a client's; every other number is a
 * length. Which of them are answered is the whitelist's business.
 */
export const fourLetterWords = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'gtmk',
  'hash',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'stmk',
  'wchc',
  'wchp',
  'wchs',
] as const;

export type FourLetterWord = (typeof fourLetterWords)[number];

const wordsByNumber: ReadonlyMap<number, FourLetterWord> = new Map(
  fourLetterWords.map((word) => [numberOf(word), word]),
);

/** `number`: the first four bytes as an unsigned big-endian integer. Null: no word. */
export function fourLetterWordOf(number: number): FourLetterWord | null {
  return wordsByNumber.get(number) ?? null;
}

function numberOf(word: string): number {
  let number = 0;
  for (let i = 0; i < word.length; i++) number = number * 256 + word.charCodeAt(i);
  return number;
}

/** The answer to a word that is known but not enabled. */
export function notWhitelisted(word: string): string {
  return `${word} is not executed because it is not in the whitelist.\n`;
}
