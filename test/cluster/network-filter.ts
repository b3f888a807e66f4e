/**
 * What a server's interface lets through, as the smallest program that every kernel's `tc` runs: a
 * classic packet filter, which needs neither iptables nor a module that may be missing. It sees a
 * frame from its Ethernet header on, and speaks of TCP over IPv4 only; everything else passes.
 */
export interface Drop {
  /** The address on the other side; null: any. */
  readonly peer: string | null;
  /** On either side of the connection; null: any. */
  readonly port: number | null;
  /** Only what opens a connection: those that are open live on. */
  readonly onlySyn: boolean;
  /** How many of those packets are dropped; 1: all. */
  readonly chance: number;
}

export type Direction = 'in' | 'out';

interface Step {
  readonly code: number;
  readonly k: number;
  /** Of a comparison: where it goes when it holds, and when not; the next step without a word. */
  readonly yes?: 'drop' | 'other';
  readonly no?: 'drop' | 'other';
}

const loadHalf = 0x28;
const loadByte = 0x30;
const loadWord = 0x20;
const loadHalfIndexed = 0x48;
const loadByteIndexed = 0x50;
const ipHeaderLength = 0xb1;
const jumpEqual = 0x15;
const jumpGreaterOrEqual = 0x35;
const and = 0x54;
const end = 0x06;

const ethernet = 14;
const random = 0xffff_f038;
const verdictPass = 0;
const verdictDrop = 2;

function addressOf(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function stepsOf(drop: Drop, direction: Direction): Step[] {
  const steps: Step[] = [];
  if (drop.peer !== null) {
    steps.push({ code: loadWord, k: ethernet + (direction === 'in' ? 12 : 16) });
    steps.push({ code: jumpEqual, k: addressOf(drop.peer), no: 'other' });
  }
  if (drop.chance < 1) {
    steps.push({ code: loadWord, k: random });
    const from = Math.floor(drop.chance * 0x1_0000_0000);
    steps.push({ code: jumpGreaterOrEqual, k: from, yes: 'other' });
  }
  steps.push({ code: ipHeaderLength, k: ethernet });
  if (drop.onlySyn) {
    // SYN without ACK
    steps.push({ code: loadByteIndexed, k: ethernet + 13 }, { code: and, k: 0x12 });
    steps.push({ code: jumpEqual, k: 0x02, no: 'other' });
  }
  if (drop.port !== null) {
    steps.push({ code: loadHalfIndexed, k: ethernet });
    steps.push({ code: jumpEqual, k: drop.port, yes: 'drop' });
    steps.push({ code: loadHalfIndexed, k: ethernet + 2 });
    steps.push({ code: jumpEqual, k: drop.port, no: 'other' });
  }
  return [...steps, { code: end, k: verdictDrop }];
}

/** The text that `tc … bpf direct-action bytecode` takes. */
export function bytecode(drops: readonly Drop[], direction: Direction): string {
  const lines: string[] = [];
  const put = (steps: readonly Step[]): void => {
    for (const [at, { code, k, yes, no }] of steps.entries()) {
      const after = { drop: steps.length - at - 2, other: steps.length - at - 1, next: 0 };
      lines.push(`${code} ${after[yes ?? 'next']} ${after[no ?? 'next']} ${k}`);
    }
  };
  const pass: Step = { code: end, k: verdictPass };
  const isTcp: Step[] = [
    { code: loadHalf, k: 12 },
    { code: jumpEqual, k: 0x0800, yes: 'other' },
    pass,
  ];
  put(isTcp);
  put([{ code: loadByte, k: ethernet + 9 }, { code: jumpEqual, k: 6, yes: 'other' }, pass]);
  for (const drop of drops) put(stepsOf(drop, direction));
  put([pass]);
  return `${lines.length},${lines.join(',')}`;
}
