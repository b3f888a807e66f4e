/**
 * What a client behind a balancer does not find as at a server, and why: the balancer answers for itself
 * (words, admin pages, limits on connections), and hides what is its purpose to hide.
 */
import type { Case } from './suite.js';

const words = 'words are answered by the balancer, which has its own';
const limits = 'the balancer counts connections itself, and keeps a client waiting for room';

const groups: Readonly<Record<string, string>> = {
  'four-letter words, default whitelist': words,
  'four-letter words, own whitelist': words,
  'admin server': 'the ports in the figures are those of the server behind',
  maxClientCnxns: limits,
  maxCnxns: limits,
  'connection throttle': limits,
};

const cases: Readonly<Record<string, string>> = {
  'sessions > lastZxidSeen ahead of the server: closed without an answer':
    'the client waits for a server that has come so far',
  'sessions > a wrong password: session 0, timeout 0, closed, and the session lives on':
    'the session that lives on is brought back to its client',
  'enforced quotas > a hard limit of the number': words,
  'persistence > auth, watches and connections do not survive, the password does':
    'here they survive',
};

/** Words that mean the same here, and the forms in which they are asked. */
const sameWords: readonly string[] = [
  'srvr: zxid and number of znodes',
  'srvr: packets and connections',
  'dirs',
  'words that nobody knows are lengths of frames',
  'a newline behind the word does not matter',
  'a word in pieces',
  'a word on a connection with a session is a length',
  'telnet closing (0xfff4fffd)',
];

/** Null: it must be the same. */
export function whyNotBehindBalancer({ group, name }: Case): string | null {
  if (group === 'four-letter words') return sameWords.includes(name) ? null : words;
  return groups[group] ?? cases[`${group} > ${name}`] ?? null;
}
