// Prints the results of several servers side by side:
// node table.mjs DIR NAME... reads DIR/SCENARIO.NAME.*.json.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [dir, ...names] = process.argv.slice(2);
if (!dir || names.length === 0) {
  console.error("usage: node table.mjs DIR NAME...");
  process.exit(2);
}

const median = (values) => {
  const v = values.toSorted((a, b) => a - b);
  const middle = v.length >> 1;
  return v.length % 2 ? v[middle] : (v[middle - 1] + v[middle]) / 2;
};

const number = (v) => {
  if (v === undefined) return "-";
  if (Number.isInteger(v) || Math.abs(v) >= 1000) return v.toFixed(0);
  return v.toFixed(Math.abs(v) >= 10 ? 1 : 2);
};

// scenario -> figure -> server -> what all its runs measured
const scenarios = new Map();
const faults = [];
for (const file of readdirSync(dir).sort()) {
  const [scenario, name, , suffix] = file.split(".");
  if (suffix !== "json" || !names.includes(name)) continue;
  const result = JSON.parse(readFileSync(join(dir, file), "utf8"));
  if (!result.ok) faults.push(`${file}: ${(result.reasons ?? []).join("; ")}`);
  if (!scenarios.has(scenario)) scenarios.set(scenario, new Map());
  const figures = scenarios.get(scenario);
  for (const m of result.metrics) {
    if (!figures.has(m.name)) figures.set(m.name, { unit: m.unit, servers: {}, floor: [] });
    const figure = figures.get(m.name);
    (figure.servers[name] ??= []).push(...(m.samples ?? [m.value]));
    if (m.floor) figure.floor.push(m.floor);
  }
}

for (const [scenario, figures] of scenarios) {
  console.log(`\n${scenario}`);
  const there = names.filter((n) => [...figures.values()].some(({ servers }) => servers[n]));
  const rows = [["", ...there.map((n) => `${n} (min-max)`), "floor", ...there.map((n) => `${n}/floor`)]];
  for (const [figure, { unit, servers, floor }] of figures) {
    const base = floor.length ? median(floor) : undefined;
    const cell = (n) => {
      const v = servers[n];
      if (!v?.length) return "-";
      return `${number(median(v))} (${number(Math.min(...v))}-${number(Math.max(...v))})`;
    };
    const ratio = (n) => (base && servers[n]?.length ? (median(servers[n]) / base).toFixed(2) : "-");
    rows.push([unit ? `${figure} [${unit}]` : figure, ...there.map(cell), number(base), ...there.map(ratio)]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log("  " + row.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join("  "));
  }
}
for (const fault of faults) console.log(`\nFAILED ${fault}`);
process.exitCode = faults.length ? 1 : 0;
