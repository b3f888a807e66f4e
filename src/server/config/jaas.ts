/**
 * The login file of Java (JAAS): named sections of login modules with options. Apache's users keep
 * the passwords of SASL in one, so it is read as Java's own reader does: the same words, quotes,
 * comments and escapes. What cannot be read is told with its line.
 *
 *     Server {
 *       org.apache.zookeeper.server.auth.DigestLoginModule required
 *       user_bob="secret";
 *     };
 */
export interface JaasModule {
  readonly className: string;
  readonly flag: string;
  readonly options: ReadonlyMap<string, string>;
  readonly line: number;
}

export interface JaasSection {
  readonly name: string;
  readonly modules: readonly JaasModule[];
  readonly line: number;
}

export class JaasError extends Error {
  override readonly name = 'JaasError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

interface Token {
  readonly kind: 'word' | 'quoted' | 'mark' | 'end';
  readonly text: string;
  readonly line: number;
}

const flags: ReadonlySet<string> = new Set(['required', 'requisite', 'sufficient', 'optional']);

/** `property` answers `${name}` in quotes. Throws JaasError. */
export function parseJaas(
  text: string,
  property: (name: string) => string | null = () => null,
): ReadonlyMap<string, JaasSection> {
  return new JaasParser(text, property).sections();
}

class JaasParser {
  readonly #tokens: Iterator<Token, void>;
  readonly #property: (name: string) => string | null;
  #next: Token;

  constructor(text: string, property: (name: string) => string | null) {
    this.#property = property;
    this.#tokens = tokensOf(text);
    this.#next = this.#read();
  }

  sections(): ReadonlyMap<string, JaasSection> {
    const sections = new Map<string, JaasSection>();
    while (this.#next.kind !== 'end') {
      const section = this.#section();
      const earlier = sections.get(section.name);
      if (earlier !== undefined) {
        const message = `the section ${section.name} stands twice, first in line ${earlier.line}`;
        throw new JaasError(section.line, message);
      }
      sections.set(section.name, section);
    }
    return sections;
  }

  #section(): JaasSection {
    const { text: name, line } = this.#text("a section's name");
    this.#mark('{', `behind the section's name ${name}`);
    const modules: JaasModule[] = [];
    while (!this.#isMark('}')) modules.push(this.#module(name));
    this.#mark('}', `at the end of the section ${name}`);
    this.#mark(';', `behind the } of the section ${name}`);
    return { name, modules, line };
  }

  #module(section: string): JaasModule {
    const { text: className, line } = this.#text(`a login module's class or } in ${section}`);
    const flag = this.#text(`required, requisite, sufficient or optional behind ${className}`);
    if (!flags.has(flag.text.toLowerCase())) {
      const message = `'${flag.text}' is none of required, requisite, sufficient, optional`;
      throw new JaasError(flag.line, message);
    }
    const options = new Map<string, string>();
    while (!this.#isMark(';')) {
      const option = this.#text(`an option or ; behind the options of ${className}`);
      this.#mark('=', `behind the option ${option.text}`);
      const value = this.#text(`the value of the option ${option.text}, best in quotes`);
      options.set(option.text, this.#expanded(value));
    }
    this.#mark(';', `behind the options of ${className}`);
    return { className, flag: flag.text.toLowerCase(), options, line };
  }

  #expanded({ text, line }: Token): string {
    return text.replace(/\$\{([^}]*)\}/gu, (_, name: string) => {
      const value = name === '/' ? '/' : this.#property(name);
      if (value === null) throw new JaasError(line, `there is no property ${name} (-D${name}=…)`);
      return value;
    });
  }

  #isMark(mark: string): boolean {
    return this.#next.kind === 'mark' && this.#next.text === mark;
  }

  #mark(mark: string, where: string): void {
    if (!this.#isMark(mark)) throw this.#unexpected(`${mark} is missing ${where}`);
    this.#next = this.#read();
  }

  #text(wanted: string): Token {
    const token = this.#next;
    if (token.kind !== 'word' && token.kind !== 'quoted') {
      throw this.#unexpected(`${wanted} is missing`);
    }
    this.#next = this.#read();
    return token;
  }

  #unexpected(message: string): JaasError {
    const { kind, text, line } = this.#next;
    const hint = text === '#' ? ' (comments begin with //)' : '';
    // what stands there in quotes may be a password
    const found =
      kind === 'end' ? 'the file ends' : `found ${kind === 'mark' ? text : `a ${kind}`}`;
    return new JaasError(line, `${message}: ${found}${hint}`);
  }

  #read(): Token {
    const next = this.#tokens.next();
    return next.done === true ? this.#next : next.value;
  }
}

/** Comments are // to the end of the line and what is between the two marks of C. */
const pattern =
  /(?<space>[\0-\x20]+)|(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<quoted>"(?:\\[^\n]|[^"\\\n])*"|'(?:\\[^\n]|[^'\\\n])*')|(?<word>[A-Za-z$_*\-.0-9\u0080-\uffff]+)|(?<mark>[^])/gu;

function* tokensOf(text: string): Generator<Token, void> {
  let line = 1;
  for (const match of text.matchAll(pattern)) {
    const groups: Partial<Record<string, string>> = match.groups ?? {};
    const { quoted, word, mark } = groups;
    if (word !== undefined) yield { kind: 'word', text: word, line };
    else if (quoted !== undefined) {
      yield { kind: 'quoted', text: unescaped(quoted.slice(1, -1)), line };
    } else if (mark === '"' || mark === "'") throw new JaasError(line, 'a quote is not closed');
    else if (mark === '/')
      throw new JaasError(line, 'a / must stand in quotes, or begin a comment');
    else if (mark !== undefined) yield { kind: 'mark', text: mark, line };
    line += match[0].split('\n').length - 1;
  }
  yield { kind: 'end', text: '', line };
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\x0b',
};

function unescaped(text: string): string {
  return text.replace(/\\([0-3]?[0-7]{1,2}|[^])/gu, (_, what: string) =>
    /^[0-7]+$/u.test(what) ? String.fromCharCode(parseInt(what, 8)) : (escapes[what] ?? what),
  );
}
