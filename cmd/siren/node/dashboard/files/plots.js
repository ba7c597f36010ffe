// The plots: small drawings of the last ten minutes, that all show the values of the same moment.

import { byId, draw, make, setText } from "./dom.js";
import { bytes, clock, count, lag, roundUp, roundUpBytes, times } from "./format.js";
import { SPAN, STEP, fanOut, latest, mean, most } from "./history.js";

const WIDTH = 600;
const HEIGHT = 100;

/**
 * What is drawn. `series` are curves: their names, and what a step has of them. `value` is the number in large type, of the
 * curves' numbers; `unit` stands behind it.
 */
const PLOTS = [
  {
    title: "Connections", format: count, value: (a, b) => a + b,
    series: [["WebSocket", latest("websocket")], ["long-polling", latest("polling")]],
  },
  {
    title: "Packets", format: count, unit: "sent / s",
    series: [["sent", mean("sent_packets")], ["received", mean("received_packets")]],
  },
  {
    title: "Traffic", format: bytes, top: roundUpBytes, unit: "sent / s",
    series: [["sent", mean("sent_bytes")], ["received", mean("received_bytes")]],
  },
  { title: "Broadcasts", format: count, unit: "/ s", series: [["to many sockets", mean("broadcasts")]] },
  { title: "Fan-out", format: times, series: [["packets sent for each broadcast", fanOut]] },
  {
    title: "Arrivals and departures", format: count, unit: "arrived / s",
    series: [["arrived", mean("connects")], ["left", mean("disconnects")]],
  },
  { title: "Loop lag", format: lag, series: [["the loop furthest behind", most("lag_seconds")]] },
  { title: "Memory", format: bytes, top: roundUpBytes, series: [["of the process", latest("memory_bytes")]] },
  {
    title: "Dropped and refused", format: count, unit: "dropped / s",
    series: [["dropped", mean("dropped")], ["refused", mean("refused")]],
  },
];

/** One plot with its title, value, legend and drawing. */
class Plot {
  constructor(spec, n) {
    Object.assign(this, { top: roundUp, unit: "", value: (a) => a }, spec);
    const id = `plot-${n}`;
    this.number = make("span");
    this.terms = this.series.map(() => make("dd"));
    this.area = draw("path", { class: "area" });
    this.curves = this.series.map((_, i) => draw("path", { class: i === 0 ? "curve" : "curve second" }));
    this.cursor = draw("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
      ...[0, 50, 100].map((y) => draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y })),
      this.area, ...this.curves.toReversed(), this.cursor);
    this.most = make("span", { class: "most", "aria-hidden": "true" });
    this.drawing = make("div", { class: "drawing" }, this.svg, this.most,
      make("div", { class: "axis", "aria-hidden": "true" }, ...["10 min", "5 min", "now"].map((text) => make("span", {}, text))));
    this.element = make("article", { class: "card plot", "aria-labelledby": id },
      make("div", { class: "plot-head" }, make("h3", { id }, this.title),
        make("p", { class: "value" }, this.number, this.unit ? make("small", {}, ` ${this.unit}`) : "")),
      make("dl", { class: "legend" }, ...this.series.map(([name], i) => make("div", {}, make("dt", {}, name), this.terms[i]))),
      this.drawing);
  }

  /** The numbers of a step. */
  at(step) {
    return this.series.map(([, of]) => (step ? of(step.rows) : null));
  }

  /** Draws the steps that end before `now`. `numbers` has this plot's numbers of each of them. */
  draw(steps, now) {
    const numbers = steps.map((step) => this.at(step));
    const all = numbers.flat().filter((n) => n !== null);
    const highest = all.length ? Math.max(...all) : 0;
    const top = this.top(highest);
    setText(this.most, this.format(top));
    const x = (step) => (((step.end - now) / SPAN) * WIDTH + WIDTH).toFixed(1);
    const y = (n) => (HEIGHT - (n / top) * HEIGHT).toFixed(1);
    this.curves.forEach((curve, i) => {
      let line = "", area = "", begin = null, end = null;
      const close = () => {
        if (begin !== null) area += `L${end} ${HEIGHT}L${begin} ${HEIGHT}Z`;
        begin = null;
      };
      steps.forEach((step, s) => {
        const n = numbers[s][i];
        const follows = n !== null && begin !== null && step.end - steps[s - 1].end <= 2 * STEP;
        if (!follows) close();
        if (n === null) return;
        const point = `${x(step)} ${y(n)}`;
        line += `${follows ? "L" : "M"}${point}${follows ? "" : "h0"}`;
        area += `${follows ? "L" : `M${x(step)} ${HEIGHT}L`}${point}`;
        if (!follows) begin = x(step);
        end = x(step);
      });
      close();
      curve.setAttribute("d", line);
      if (i === 0) this.area.setAttribute("d", area);
    });
    this.svg.setAttribute("aria-label", this.summary(numbers));
  }

  /** What the drawing says, in words. */
  summary(numbers) {
    const parts = this.series.map(([name], i) => {
      const all = numbers.map((row) => row[i]).filter((n) => n !== null);
      if (all.length === 0) return `${name}: nothing`;
      return `${name}: now ${this.format(all.at(-1))}, between ${this.format(Math.min(...all))} and ${this.format(Math.max(...all))}`;
    });
    return `${this.title} in the last ten minutes. ${parts.join(". ")}.`;
  }

  /** Shows the numbers of a step; undefined when there is none. */
  show(step, position) {
    const numbers = this.at(step);
    setText(this.number, this.text(this.value(...numbers.map((n) => n ?? 0)), numbers[0]));
    this.terms.forEach((term, i) => setText(term, this.text(numbers[i], numbers[i])));
    this.cursor.setAttribute("visibility", position === null ? "hidden" : "visible");
    if (position !== null) {
      this.cursor.setAttribute("x1", position * WIDTH);
      this.cursor.setAttribute("x2", position * WIDTH);
    }
  }

  text(n, known) {
    return known === null ? "–" : this.format(n);
  }
}

/** All plots. The range input, or a pointer on a drawing, chooses the moment whose values they show. */
export class Plots {
  /** The moment, in milliseconds before now. */
  ago = 0;
  steps = [];
  now = 0;

  constructor() {
    this.plots = PLOTS.map((spec, i) => new Plot(spec, i));
    this.element = byId("plots");
    this.element.append(...this.plots.map((p) => p.element));
    this.input = byId("scrub");
    this.input.addEventListener("input", () => this.choose(-1000 * Number(this.input.value)));
    for (const plot of this.plots) {
      plot.drawing.addEventListener("pointermove", (event) => this.point(plot, event));
      plot.drawing.addEventListener("pointerdown", (event) => this.point(plot, event));
      plot.drawing.addEventListener("pointerleave", () => this.choose(0));
      plot.drawing.addEventListener("pointercancel", () => this.choose(0));
    }
    this.table = new Table(this.plots);
  }

  point(plot, event) {
    const box = plot.svg.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.choose(Math.round(((1 - part) * SPAN) / STEP) * STEP);
  }

  choose(ago) {
    this.ago = ago;
    this.input.value = -ago / 1000;
    this.show();
  }

  /** Draws what a history has. */
  draw(history) {
    if (!history.last) return;
    this.now = Math.ceil(history.last.at / STEP) * STEP;
    this.steps = history.steps().filter((step) => step.end > this.now - SPAN);
    for (const plot of this.plots) plot.draw(this.steps, this.now);
    this.show();
    this.table.draw(history);
  }

  show() {
    const end = this.now - this.ago;
    const live = this.ago === 0;
    const step = live ? this.steps.at(-1) : this.steps.find((s) => s.end === end);
    const text = live ? "now" : clock(end);
    setText(byId("scrub-text"), text);
    this.input.setAttribute("aria-valuetext", live ? "now" : `${clock(end)}, ${Math.round(this.ago / 1000)} seconds ago`);
    for (const plot of this.plots) plot.show(step, live ? null : 1 - this.ago / SPAN);
  }
}

/** The table that says the same as the plots, with a row for each minute. */
class Table {
  constructor(plots) {
    this.plots = plots;
    this.details = document.querySelector("details.rows");
    byId("rows-head").append(make("th", { scope: "col" }, "Until"), ...plots.flatMap((plot) => plot.series.map(([name]) =>
      make("th", { scope: "col", class: "number" }, plot.series.length > 1 ? `${plot.title}: ${name}` : plot.title))));
    this.details.addEventListener("toggle", () => this.history && this.draw(this.history));
  }

  draw(history) {
    this.history = history;
    if (!this.details.open) return;
    const rows = history.steps(60_000).toReversed().slice(0, 10);
    const body = byId("rows-body");
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((step, i) => {
      const row = body.rows[i] ?? body.insertRow();
      const texts = [i === 0 ? "now" : clock(step.end), ...this.plots.flatMap((plot) => plot.at(step).map((n) => plot.text(n, n)))];
      texts.forEach((text, j) => {
        const cell = row.cells[j] ?? row.appendChild(make(j === 0 ? "th" : "td", j === 0 ? { scope: "row" } : { class: "number" }));
        setText(cell, text);
      });
    });
  }
}
