/** Figures in the text that Prometheus scrapes: each family once, with what it is. */
import type { Histogram } from './histogram.js';

export type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [labels: Labels, value: number];

const noLabels: Labels = {};

export class PrometheusText {
  #text = '';

  /** A family without samples is left out. */
  family(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: number | readonly Sample[],
  ): void {
    const all: readonly Sample[] = typeof samples === 'number' ? [[noLabels, samples]] : samples;
    if (all.length === 0) return;
    this.#head(name, type, help);
    for (const [labels, value] of all) this.#line(name, labels, value);
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.#head(name, 'histogram', help);
    const counts = histogram.cumulative();
    for (const [index, bound] of histogram.bounds.entries()) {
      this.#line(`${name}_bucket`, { le: bound }, counts[index] ?? 0);
    }
    this.#line(`${name}_bucket`, { le: '+Inf' }, histogram.count);
    this.#line(`${name}_sum`, noLabels, histogram.sum);
    this.#line(`${name}_count`, noLabels, histogram.count);
  }

  toString(): string {
    return this.#text;
  }

  #head(name: string, type: string, help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  #line(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(String(text))}"`);
    this.#text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** Whatever does not belong into a name becomes an underscore. */
export function metricName(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9_]/g, '_');
}
