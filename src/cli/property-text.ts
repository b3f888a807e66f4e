/** Values of a zoo.cfg that we write: it is a Java properties file. */

/** Backslashes and what is not ASCII are escaped. */
export function propertyText(text: string): string {
  let escaped = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (text[at] === '\\') escaped += '\\\\';
    else if (code < 0x20 || code > 0x7e) escaped += `\\u${code.toString(16).padStart(4, '0')}`;
    else escaped += text[at] ?? '';
  }
  return escaped;
}
