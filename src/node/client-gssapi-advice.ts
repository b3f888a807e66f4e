/**
 * What Kerberos's library says when there is no ticket, and what somebody who reads it is to do: its
 * words are those of a library that knows neither clients nor options.
 */
/** Before the words that matter. */
const prefixes = [
  /^Unspecified GSS failure\. +Minor code may provide more information: /,
  /^No credentials were supplied, or the credentials were unavailable or inaccessible: /,
];

type Advice = (principal: string | undefined) => string;

/** By words of MIT's library, which is the one that `kerberos` loads on Linux; the first that fit. */
const advices: readonly (readonly [RegExp, Advice])[] = [
  [
    /no kerberos credentials|credentials cache|client principal|ticket expired/i,
    (principal) =>
      `get one by kinit${principal === undefined ? '' : ` ${principal}`} (klist shows which there ` +
      'are), or name a keytab in KRB5_CLIENT_KTNAME',
  ],
  [
    /^server .*not found in kerberos database/i,
    () =>
      "the options service and serviceHost have to be those of the principal in the servers' login file",
  ],
  [/clock skew/i, () => 'set the clocks'],
  [
    /\bkdc\b/i,
    () => 'look at the kdc of the realm in krb5.conf (KRB5_CONFIG), and whether it can be reached',
  ],
  [/default realm/i, () => 'set default_realm in krb5.conf (KRB5_CONFIG)'],
];

/** An error's words, less those that say nothing. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return prefixes.reduce((rest, prefix) => rest.replace(prefix, ''), text);
}

/** Nothing where there is nothing to say. `principal`: who was to log in, if that was said. */
export function adviceOf(reason: string, principal: string | undefined): readonly string[] {
  const known = advices.find(([words]) => words.test(reason));
  return known === undefined ? [] : [known[1](principal)];
}
