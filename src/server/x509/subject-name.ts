/**
 * Whom a certificate names, as Apache's ids of the scheme x509 have it: what Java's
 * X500Principal.getName() answers, RFC 2253 as Java understands it. ACLs compare these texts, so each
 * corner counts: the order is turned round, types that the RFC does not list go as numbers with their
 * values in hexadecimal, nine characters are escaped, and spaces at either end.
 */
import { decodeUtf8 } from '../../protocol/utf8.js';
import { hexOf } from '../../protocol/sasl-digest.js';
import { DerReader, DerTag, oidText } from './der.js';

const keywordOf: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
]);

/** Values of these are shown as text. */
const textTags: ReadonlySet<number> = new Set([
  DerTag.utf8String,
  DerTag.printableString,
  DerTag.t61String,
  DerTag.ia5String,
  DerTag.universalString,
  DerTag.bmpString,
]);

/** Of a certificate in DER. Throws DerError. */
export function subjectOf(certificate: Uint8Array): string {
  const signed = new DerReader(certificate).enter(DerTag.sequence).enter(DerTag.sequence);
  if (signed.nextTag === VERSION_TAG) signed.next();
  signed.expect(DerTag.integer); // serial number
  signed.expect(DerTag.sequence); // signature algorithm
  signed.expect(DerTag.sequence); // issuer
  signed.expect(DerTag.sequence); // validity
  return nameText(signed.expect(DerTag.sequence).content);
}

const VERSION_TAG = 0xa0;

/** `content`: what is in the sequence of a Name. */
export function nameText(content: Uint8Array): string {
  const parts: string[] = [];
  const sets = new DerReader(content);
  while (!sets.isAtEnd) {
    const attributes: string[] = [];
    const set = sets.enter(DerTag.set);
    while (!set.isAtEnd) attributes.push(attributeText(set.enter(DerTag.sequence)));
    parts.push(attributes.join('+'));
  }
  return parts.reverse().join(',');
}

function attributeText(attribute: DerReader): string {
  const oid = oidText(attribute.expect(DerTag.oid).content);
  const value = attribute.next();
  const keyword = keywordOf.get(oid);
  if (keyword === undefined || !textTags.has(value.tag)) {
    return `${keyword ?? oid}=#${hexOf(value.whole)}`;
  }
  return `${keyword}=${escaped(decodeUtf8(value.content, 0, value.content.length))}`;
}

function escaped(text: string): string {
  const inside = text.replace(/[,=+<>#;"\\]/gu, '\\$&').replaceAll('\0', '\\00');
  return inside.replace(/^[ \r]+|[ \r]+$/gu, (spaces) => spaces.replace(/[^]/gu, '\\$&'));
}
