// Prometheus' text format, and what two readings of it say.

/**
 * @param {string} text
 * @return {!Array<{name: string, labels: !Object<string, string>,
 *     value: number}>}
 */
export function parse(text) {
  const series = [];
  for (const line of text.split('\n')) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of
        (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c);
    }
    series.push({name: found[1], labels, value: number(found[3])});
  }
  return series;
}

function number(text) {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

/** One reading, that can be asked by name and labels. */
export class Reading {
  /** @param {number} seconds When it was taken, of any steady clock. */
  constructor(text, seconds) {
    this.seconds = seconds;
    this.byName = Map.groupBy(parse(text), ({name}) => name);
  }

  all(name) {
    return this.byName.get(name) ?? [];
  }

  /** The sum over the series whose labels include those. */
  sum(name, labels = {}) {
    let sum = 0;
    for (const one of this.all(name)) {
      if (includes(one.labels, labels)) sum += one.value;
    }
    return sum;
  }

  /** Of a histogram: upper bound -> how many are at most that. */
  buckets(name, labels) {
    const counts = new Map();
    for (const one of this.all(name + '_bucket')) {
      if (!includes(one.labels, labels)) continue;
      const bound = number(one.labels.le);
      counts.set(bound, (counts.get(bound) ?? 0) + one.value);
    }
    return counts;
  }
}

function includes(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/**
 * The quantile of what a histogram saw between two readings, linear within its
 * bucket; NaN when it saw nothing, the last bound when it lies beyond.
 * @param {!Map<number, number>} before
 * @param {!Map<number, number>} after
 */
export function quantile(before, after, q) {
  const bounds = [...after.keys()].sort((a, b) => a - b);
  const count = (bound) => after.get(bound) - (before.get(bound) ?? 0);
  const all = bounds.length ? count(bounds.at(-1)) : 0;
  if (all <= 0) return NaN;
  let low = 0, below = 0;
  for (const bound of bounds) {
    const here = count(bound);
    if (here >= q * all) {
      if (bound === Infinity) return low;
      return low + (bound - low) * (q * all - below) / (here - below);
    }
    low = bound;
    below = here;
  }
  return low;
}
