// The last ten minutes: one row for each second, as /api/stats has them.

/** How long a row is kept, in milliseconds. */
export const SPAN = 600_000;

/** The width of a step of the plots, in milliseconds. */
export const STEP = 3_000;

export class History {
  /** The rows, the oldest first; `at` is the time of each, in milliseconds since 1970. */
  rows = [];

  get last() {
    return this.rows.at(-1);
  }

  /** Takes over the node's own rows. `skew` is how far the node's clock is behind, in milliseconds. */
  replace(rows, skew) {
    this.rows = rows.map((row) => ({ ...row, at: Date.parse(row.time) + skew }));
  }

  /** Adds a row, and forgets what is too old. */
  add(row) {
    if (this.last && row.at <= this.last.at) return;
    this.rows.push(row);
    const first = this.rows.findIndex((r) => r.at > row.at - SPAN - STEP);
    this.rows.splice(0, first);
  }

  /** Makes a row of the answer of stats. What the node counts since its start becomes a rate by the answer before. */
  rowOf(stats, at, before) {
    const seconds = before ? Math.max((at - before.at) / 1000, 1) : 1;
    const grown = (counts, old) => (old ? Math.max(0, total(counts) - total(old)) / seconds : 0);
    return {
      at, ...stats.connections, ...stats.rates["1s"], memory_bytes: stats.memory_bytes,
      dropped: grown(stats.dropped, before?.stats.dropped), refused: grown(stats.refused, before?.stats.refused),
      lag_seconds: Math.max(0, ...stats.loops.map((l) => l.lag_seconds)), mailbox: stats.loops.reduce((n, l) => n + l.mailbox, 0),
    };
  }

  /**
   * Groups the rows into steps of `width` milliseconds that end at multiples of it. So a step keeps its rows while the plot
   * moves, and its curve does not tremble. Steps without rows are missing.
   */
  steps(width = STEP) {
    const steps = [];
    for (const row of this.rows) {
      const end = Math.ceil(row.at / width) * width;
      if (steps.at(-1)?.end === end) steps.at(-1).rows.push(row);
      else steps.push({ end, rows: [row] });
    }
    return steps;
  }
}

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** What a step has of a field: ways to make one number of several rows. */
export const mean = (field) => (rows) => rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
export const most = (field) => (rows) => Math.max(...rows.map((row) => row[field]));
export const latest = (field) => (rows) => rows.at(-1)[field];

/** How many packets go out for each broadcast; null when there was none. */
export function fanOut(rows) {
  const [sent, broadcasts] = ["sent_packets", "broadcasts"].map((field) => rows.reduce((sum, row) => sum + row[field], 0));
  return broadcasts > 0 ? sent / broadcasts : null;
}
