/** The rules of the ids that ACLs may name because this server can prove them: of SASL and of TLS. */
import type { AclSchemes } from '../txn/authorize.js';
import type { SecurityConfig } from './config/security-config.js';
import { isDistinguishedName } from './x509/distinguished-name.js';

const rules: ReadonlyMap<'sasl' | 'x509', (id: string) => boolean> = new Map([
  ['sasl', isPrincipal],
  ['x509', isDistinguishedName],
]);

export function aclSchemesOf({ schemes }: SecurityConfig): AclSchemes {
  return new Map([...rules].filter(([scheme]) => schemes.has(scheme)));
}

/** As names of Kerberos are written: bob, bob@REALM, bob/host@REALM. */
function isPrincipal(id: string): boolean {
  return !id.includes('@') || /^[^/@]*(?:\/[^/@]*)?@[^/@]*$/u.test(id);
}
