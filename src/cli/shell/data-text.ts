/** The data of a znode as text: as it is where it is text, in base64 or as a dump where it is not. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null: these bytes are not UTF-8. */
export function utf8Of(data: Uint8Array): string | null {
  try {
    return strict.decode(data);
  } catch {
    return null;
  }
}

export interface DataJson {
  readonly data: string;
  readonly encoding: 'utf8' | 'base64';
}

export function dataJson(data: Buffer): DataJson {
  const text = utf8Of(data);
  return text === null
    ? { data: data.toString('base64'), encoding: 'base64' }
    : { data: text, encoding: 'utf8' };
}

/** Null: not base64. */
export function bytesOfBase64(text: string): Buffer | null {
  const compact = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.replace(/=+$/, '').length % 4 === 1) {
    return null;
  }
  return Buffer.from(compact, 'base64');
}

const rowBytes = 16;
const edge = `+${'-'.repeat(8)}+${'-'.repeat(3 * rowBytes + 1)}+${'-'.repeat(rowBytes)}+`;
const indent = ' '.repeat(9);

/** Sixteen bytes a row between rules, with the printable ones beside them; empty for no bytes. */
export function hexDump(data: Uint8Array): string {
  if (data.length === 0) return '';
  const columns = Array.from({ length: rowBytes }, (_, at) => ` ${at.toString(16)}`.padStart(3));
  const rows = [
    `${indent}+${'-'.repeat(3 * rowBytes + 1)}+`,
    `${indent}|${columns.join('')} |`,
    edge,
  ];
  for (let at = 0; at < data.length; at += rowBytes) {
    const bytes = [...data.subarray(at, at + rowBytes)];
    const cells = bytes.map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
    const shown = bytes
      .map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    const offset = at.toString(16).padStart(8, '0');
    rows.push(`|${offset}|${cells.padEnd(3 * rowBytes)} |${shown.padEnd(rowBytes)}|`);
  }
  return [...rows, edge].join('\n');
}
