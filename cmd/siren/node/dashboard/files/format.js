// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** A count, or a rate: short, with at most three digits of precision from ten thousand on. */
export function count(n) {
  const size = Math.abs(n);
  if (size >= 999_500) return `${tenths.format(n / 1e6)} M`;
  if (size >= 9_995) return `${tenths.format(n / 1e3)} k`;
  return size < 10 && !Number.isInteger(n) ? tenths.format(n) : whole.format(n);
}

/** A count with all of its digits. */
export const exact = (n) => whole.format(n);

/** Bytes. */
export function bytes(n) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (n >= 0.9995 * size) return `${n >= 99.5 * size ? whole.format(n / size) : tenths.format(n / size)} ${unit}`;
  }
  return `${whole.format(n)} B`;
}

/** A short time, given in seconds. */
export function lag(seconds) {
  if (seconds >= 0.9995) return `${tenths.format(seconds)} s`;
  if (seconds >= 0.0009995) return `${tenths.format(1e3 * seconds)} ms`;
  return `${whole.format(1e6 * seconds)} µs`;
}

/** A factor. */
export const times = (n) => `×${count(n)}`;

/** A long time, given in seconds. */
export function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

/** The time of day, given in milliseconds since 1970. */
export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

/** The least of 1, 2, 2.5 and 5, with zeros behind it or before it, that is not below n: the top of an axis. */
export function roundUp(n) {
  if (!(n > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map((f) => f * power).find((top) => top >= n * (1 - 1e-9));
}

/** The same for bytes: the zeros are those of binary units. */
export function roundUpBytes(n) {
  if (n <= 1024) return 1024;
  const unit = 1024 ** Math.min(3, Math.floor(Math.log2(n) / 10));
  const top = roundUp(n / unit);
  return top > 1000 && unit < 2 ** 30 ? 1024 * unit : top * unit;
}
