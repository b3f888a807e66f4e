/**
 * Whether a text is the name of a subject as Java reads it (RFC 2253, with what RFC 1779 and 4514
 * allow besides): which ids an ACL of the scheme x509 may have. Ids are compared as texts, so the name
 * is not put into another form here.
 *
 *     name = [ rdn *( ("," / ";") rdn ) ]
 *     rdn  = type "=" value *( "+" type "=" value )
 */
const keywords: ReadonlySet<string> = new Set(
  `CN C L S ST O OU T IP STREET DC DNQUALIFIER DNQ SURNAME GIVENNAME INITIALS GENERATION EMAIL
   EMAILADDRESS UID SERIALNUMBER`.split(/\s+/u),
);

const oid = /^(?:OID\.)?0*[0-2](?:\.\d+)+$/iu;
const type = /\s*([A-Za-z][A-Za-z0-9.-]*|\d[\d.]*)\s*=\s*/uy;
const value =
  /(?:#(?:[0-9A-Fa-f]{2})+|"(?:\\[^]|[^"\\])*"|(?:\\[0-9A-Fa-f]{2}|\\[ #"+,;<>=\\]|[^"+,;<>=\\#]|(?<=[^\s=])[#=])*)\s*/uy;

export function isDistinguishedName(text: string): boolean {
  if (text === '') return true;
  let at = 0;
  for (;;) {
    type.lastIndex = at;
    const [head = '', keyword = ''] = type.exec(text) ?? [];
    if (head === '' || !(keywords.has(keyword.toUpperCase()) || oid.test(keyword))) return false;
    value.lastIndex = at + head.length;
    at += head.length + (value.exec(text)?.[0].length ?? 0);
    if (at === text.length) return true;
    if (!/[,;+]/u.test(text.charAt(at))) return false;
    at++;
  }
}
