// The light lines over the 2-D charts while the hand moves or the descent is played.
// Plotly's own lines of the same runs are hidden meanwhile: see `.live` in lab.css.

import { MARGINS } from "./charts.js";
import { svg } from "./dom.js";

export const DASHES = { solid: "", dash: "9 9", dot: "3 4", dashdot: "9 4 3 4", longdash: "15 6" };
const FAR = 1e5; // pixels: beyond it a line is cut, for the browser's sake

export class Preview {
  constructor(charts) {
    this.charts = charts;
    this.layers = {};
    for (const name of ["data", "loss", "map"]) this.layers[name] = new Layer(charts.plots[name], name);
  }

  // Draw runs at an epoch on axes; `all` tells whether the kept ones move too.
  draw({ rows, results, epoch, axes, moved }, all) {
    const live = all ? [...results].reverse() : results.slice(0, 1);
    for (const [name, layer] of Object.entries(this.layers)) {
      layer.begin(axes[name], this.charts.sizes[name], all);
      if (name === "data" && moved) layer.marks(rows, this.charts.look.neutral);
      for (const result of live) this[name](layer, result, this.charts.style(result.look), { rows, epoch, axes });
      layer.end();
    }
  }

  // Plotly has drawn a chart: its own lines show again.
  settle(name) {
    this.layers[name]?.clear();
  }

  data(layer, result, look, { rows, epoch, axes }) {
    const i = result.indexAt(epoch);
    if (rows.one) {
      const points = axes.data.x.map((x) => [layer.x(x), layer.y(result.predict(i, rows.standardize([x])))]);
      layer.line(points, look, 2.6);
      return;
    }
    layer.dots(rows.Z.map((z, k) => [layer.x(rows.y[k]), layer.y(result.predict(i, z))]), look);
  }

  loss(layer, result, look, { epoch }) {
    const points = [];
    for (let i = 0; i < result.losses.length; i += 1) {
      const value = result.losses[i];
      if (value > 0) points.push([layer.x(result.loss_at[i]), layer.y(Math.log10(value))]);
    }
    layer.line(points, look, 2.4);
    const i = result.lossAt(epoch);
    if (i !== null && result.losses[i] > 0) {
      layer.head(layer.x(result.loss_at[i]), layer.y(Math.log10(result.losses[i])), look);
    }
  }

  map(layer, result, look, { epoch }) {
    const points = [];
    for (let i = 0; i < result.size; i += 1) points.push([layer.x(result.across(i)), layer.y(result.up(i))]);
    const upTo = result.indexAt(epoch) + 1;
    layer.line(points, { color: "#ffffff", dash: "solid" }, 5, 0.55);
    layer.line(points.slice(0, upTo), look, 2.4);
    layer.head(...points[upTo - 1], look);
  }
}

// One chart's SVG: elements are made once and used again, which is what makes it quick.
class Layer {
  constructor(plot, name) {
    this.plot = plot;
    this.margins = MARGINS[name];
    this.root = svg("svg", { class: "preview", "aria-hidden": "true" });
    this.inside = svg("svg");
    this.root.append(this.inside);
    plot.parentElement.append(this.root);
    this.paths = [];
  }

  begin(axes, size, all) {
    const { l, r, t, b } = this.margins;
    this.axes = axes;
    if (size !== this.size) {
      this.size = size;
      this.width = size.width - l - r;
      this.height = size.height - t - b;
      for (const [key, value] of Object.entries({ x: l, y: t, width: this.width, height: this.height })) {
        this.inside.setAttribute(key, value);
      }
    }
    this.plot.classList.toggle("live", true);
    this.plot.classList.toggle("live-all", all);
    this.used = 0;
  }

  x(value) {
    const [low, high] = this.axes.x;
    return clip(((value - low) / (high - low)) * this.width);
  }

  y(value) {
    const [low, high] = this.axes.y;
    return clip((1 - (value - low) / (high - low)) * this.height);
  }

  path(d, attributes) {
    let path = this.paths[this.used];
    if (!path) {
      path = svg("path");
      this.paths.push(path);
      this.inside.append(path);
    }
    this.used += 1;
    path.setAttribute("d", d);
    const all = { fill: "none", stroke: "none", opacity: 1, "stroke-dasharray": "none", "stroke-width": 1, ...attributes };
    const key = JSON.stringify(all);
    if (path.look === key) return;
    path.look = key;
    for (const [name, value] of Object.entries(all)) path.setAttribute(name, value);
  }

  line(points, look, width, opacity = 1) {
    let d = "";
    for (const [x, y] of points) d += `${d ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    const dash = { "stroke-dasharray": DASHES[look.dash] || "none", "stroke-linejoin": "round" };
    this.path(d, { stroke: look.color, "stroke-width": width, opacity, ...dash });
  }

  head(x, y, look) {
    this.path(shape(look.symbol, x, y, 5.5), { fill: look.color, stroke: "#ffffff", "stroke-width": 1.5 });
  }

  dots(points, look) {
    const d = points.map(([x, y]) => shape("circle", x, y, 2.6)).join("");
    this.path(d, { stroke: look.color, "stroke-width": 1.2 });
  }

  marks(rows, color) {
    const d = rows.X.map((row, i) => shape("x", this.x(row[0]), this.y(rows.y[i]), 4)).join("");
    this.path(d, { stroke: color, "stroke-width": 1.8 });
    this.plot.classList.add("live-rows");
  }

  end() {
    for (const path of this.paths.slice(this.used)) path.setAttribute("d", "");
  }

  clear() {
    this.used = 0;
    this.end();
    this.plot.classList.remove("live", "live-all", "live-rows");
  }
}

export function shape(symbol, x, y, r) {
  switch (symbol) {
    case "square":
      return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
    case "diamond":
      return `M${x} ${y - r * 1.3}L${x + r * 1.3} ${y}L${x} ${y + r * 1.3}L${x - r * 1.3} ${y}Z`;
    case "cross": {
      const a = r / 2.5;
      return `M${x - r} ${y - a}h${r - a}v${a - r}h${2 * a}v${r - a}h${r - a}v${2 * a}h${a - r}v${r - a}h${-2 * a}v${a - r}h${a - r}Z`;
    }
    case "x":
      return `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
    default:
      return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  }
}

const clip = (pixels) => (Number.isNaN(pixels) ? FAR : Math.max(-FAR, Math.min(FAR, pixels)));
