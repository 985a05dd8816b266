// The four charts as Plotly draws them when the hand rests.
// Not here: the light lines over them while it moves (preview.js).

import { cutOff, headOf } from "./edges.js";
import { logTicks, powers } from "./format.js";

/* global Plotly */

// Fixed, so that preview.js knows where the axes are without asking Plotly.
export const MARGINS = {
  data: { l: 64, r: 14, t: 8, b: 46 },
  loss: { l: 64, r: 14, t: 8, b: 46 },
  map: { l: 70, r: 66, t: 8, b: 46 },
  surface: { l: 0, r: 0, t: 0, b: 0 },
};
const CASING = "#ffffff"; // under a path on the map: no colour stands out from all of the scale
const SMALL = { size: 10 };
const SPATIAL = { size: 11 }; // titles in three dimensions, which run out of the picture soonest
const PHONE = 360; // pixels
const LEVELS = 24; // of the map
const PLAIN = {
  displayModeBar: false, responsive: false, doubleClick: false, showTips: false,
  plotGlPixelRatio: Math.max(1, devicePixelRatio),
};

export const dark = matchMedia("(prefers-color-scheme: dark)");

export class Charts {
  constructor(look) {
    this.look = look;
    this.plots = {};
    this.sizes = {};
    for (const figure of document.querySelectorAll(".chart")) {
      const plot = figure.querySelector(".plot");
      const name = figure.dataset.chart;
      figure.querySelector(".summary").id = `${name}-summary`;
      figure.querySelector("h2").id = `${name}-title`;
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-labelledby", `${name}-title`);
      plot.setAttribute("aria-describedby", `${name}-summary`);
      this.plots[name] = plot;
    }
  }

  style(index) {
    const { colors, dashes, symbols } = this.look;
    return {
      color: colors[index % colors.length],
      dash: dashes[index % dashes.length],
      symbol: symbols[index % symbols.length],
    };
  }

  // The surface's first frame is on its way to the graphics process.
  async surfaceStarted() {
    await new Promise(requestAnimationFrame);
    this.plots.surface.querySelector("canvas")?.getContext("webgl")?.flush();
  }

  // Whether a chart has another size than it was drawn at.
  resized() {
    return Object.entries(this.sizes).some(([name, size]) => {
      const { clientWidth, clientHeight } = this.plots[name];
      return size.width !== clientWidth || size.height !== clientHeight;
    });
  }

  // Draw all four; `wanted` tells between two of them whether it is still worth going on.
  // The very first time the surface is first: the graphics process takes half a second to make its
  // programs, in which the others are drawn.
  async commit(shown, wanted, drawn) {
    const order = ["data", "loss", "map"];
    const pause = () => new Promise((resume) => setTimeout(resume));
    if (this.begun) order.push("surface");
    else order.unshift("surface");
    for (const name of order) {
      if (!wanted()) return;
      const plot = this.plots[name];
      // Kept for preview.js: to ask the browser at each movement would cost a layout each time.
      this.sizes[name] = { width: plot.clientWidth, height: plot.clientHeight };
      const { traces, layout } = this[name](shown);
      await Plotly.react(this.plots[name], traces, this.layout(name, layout), PLAIN);
      drawn(name);
      if (this.begun) await pause();
      else if (name === "surface") await this.surfaceStarted();
    }
    this.begun = true;
  }

  layout(name, own) {
    return {
      template: dark.matches ? this.look.dark : this.look.light,
      ...this.sizes[name],
      margin: { ...MARGINS[name], autoexpand: false },
      showlegend: false,
      font: { size: 12 },
      dragmode: false,
      hovermode: "closest",
      ...own,
    };
  }

  data({ rows, results, epoch, axes }) {
    const { neutral } = this.look;
    const traces = [];
    const mark = { symbol: "x-thin", size: 8, color: neutral, line: { width: 1.8, color: neutral } };
    const ends = axes.data.x;
    if (rows.one) {
      traces.push({
        x: rows.X.map((row) => row[0]), y: rows.y, mode: "markers", marker: mark, name: "data",
        uid: "rows", hovertemplate: `${escape(rows.features[0])} %{x:,}<br>${escape(rows.target)} %{y:,}<extra></extra>`,
      });
      const exact = ends.map((x) => rows.exactly(rows.standardize([x])));
      traces.push(floor(ends, exact, "exact solution", neutral));
    } else traces.push(floor(ends, ends, "predicted = actual", neutral));
    for (const result of backwards(results)) {
      const look = this.style(result.look);
      const i = result.indexAt(epoch);
      const x = rows.one ? ends : rows.y;
      const Z = rows.one ? ends.map((value) => rows.standardize([value])) : rows.Z;
      traces.push({
        x, y: Array.from(Z, (z) => result.predict(i, z)), name: escape(result.name), uid: uid(result),
        mode: rows.one ? "lines" : "markers",
        line: { color: look.color, dash: look.dash, width: 2.6 },
        marker: { color: look.color, symbol: `${look.symbol}-open`, size: 6 },
        hovertemplate: `<b>${escape(result.name)}</b><br>%{y:,.6~g}<extra></extra>`,
      });
    }
    return {
      traces,
      layout: {
        xaxis: axis(rows.one ? rows.labels.features[0] : rows.labels.target, axes.data.x),
        yaxis: axis(rows.one ? rows.labels.target : `predicted ${rows.labels.target}`, axes.data.y),
      },
    };
  }

  loss({ rows, results, epoch, axes }) {
    const traces = [];
    if (showsFloor(results, rows)) {
      traces.push(floor(axes.loss.x, [rows.exact.loss, rows.exact.loss], "exact solution", this.look.neutral));
    }
    for (const result of backwards(results)) {
      const look = this.style(result.look);
      traces.push({
        x: result.loss_at, y: result.losses, mode: "lines", name: escape(result.name), uid: uid(result),
        line: { color: look.color, dash: look.dash, width: 2.4 },
        hovertemplate: `<b>${escape(result.name)}</b><br>epoch %{x:,}<br>loss %{y:,.6~g}<extra></extra>`,
      });
      const i = result.lossAt(epoch);
      if (i !== null) {
        traces.push(head([result.loss_at[i]], [result.losses[i]], look, result));
      }
    }
    const kinds = new Set(results.map((result) => result.settings.loss));
    const label = kinds.size === 1 ? rows.labels.losses[[...kinds][0]] : "loss";
    return {
      traces,
      layout: {
        xaxis: epochAxis(axes.loss.x),
        yaxis: logAxis(label, axes.loss.y),
      },
    };
  }

  map({ plane, results, epoch, axes }) {
    const traces = [
      {
        type: "contour", x0: axes.map.x[0], dx: (axes.map.x[1] - axes.map.x[0]) / (plane.points - 1),
        y0: axes.map.y[0], dy: (axes.map.y[1] - axes.map.y[0]) / (plane.points - 1),
        z: grid(plane), colorscale: "Cividis", contours: levels(plane), autocontour: false, name: "loss",
        line: { width: 0.5, color: "rgba(255, 255, 255, 0.45)" },
        colorbar: { thickness: 10, outlinewidth: 0, x: 1.02, xpad: 0, ...ticks(plane) },
        hovertemplate: `${escape(plane.along[0])} %{x:,.5~g}<br>${escape(plane.along[1])} %{y:,.5~g}<br>loss 10^%{z:.2f}<extra></extra>`,
      },
    ];
    for (const result of backwards(results)) {
      const look = this.style(result.look);
      const x = Float64Array.from({ length: result.size }, (_, i) => result.across(i));
      const y = Float64Array.from({ length: result.size }, (_, i) => result.up(i));
      const upTo = result.indexAt(epoch) + 1;
      const shared = { mode: "lines", name: escape(result.name), uid: uid(result), hoverinfo: "skip" };
      traces.push(
        { ...shared, uid: `${uid(result)}-casing`, x, y, line: { color: CASING, width: 5 }, opacity: 0.55 },
        {
          ...shared, x: x.subarray(0, upTo), y: y.subarray(0, upTo), hoverinfo: undefined,
          line: { color: look.color, dash: look.dash, width: 2.4 },
          customdata: Array.from(result.at.subarray(0, upTo)),
          hovertemplate: `<b>${escape(result.name)}</b><br>epoch %{customdata:,}<br>${escape(plane.along[0])} %{x:,.6~g}<br>${escape(plane.along[1])} %{y:,.6~g}<extra></extra>`,
        },
        head([x[upTo - 1]], [y[upTo - 1]], look, result),
      );
    }
    traces.push(star(plane));
    return { traces, layout: { xaxis: axis(plane.labels[0], axes.map.x), yaxis: axis(plane.labels[1], axes.map.y) } };
  }

  surface({ plane, results, epoch, axes }) {
    const step = (range, i) => range[0] + ((range[1] - range[0]) * i) / (plane.points - 1);
    const count = Array.from({ length: plane.points }, (_, i) => i);
    const { x, y } = axes.map;
    const z = grid(plane);
    const traces = [
      {
        type: "surface", x: count.map((i) => step(x, i)), y: count.map((i) => step(y, i)), z,
        colorscale: "Cividis", showscale: false, opacity: 0.93, name: "loss",
        lighting: { ambient: 0.75, diffuse: 0.5, specular: 0.05, roughness: 0.9 },
        hovertemplate: `${escape(plane.along[0])} %{x:,.5~g}<br>${escape(plane.along[1])} %{y:,.5~g}<br>loss 10^%{z:.2f}<extra></extra>`,
      },
    ];
    for (const result of results) traces.push(...this.path3d(result, epoch, plane));
    const exact = [0, 1].map((a) => plane.ranges[a][0] + plane.exact[a] * (plane.ranges[a][1] - plane.ranges[a][0]));
    traces.push({
      type: "scatter3d", x: [exact[0]], y: [exact[1]], z: [plane.exact_height], mode: "markers",
      name: "exact solution", marker: { symbol: "diamond", size: 5, color: CASING, line: { color: "#1f2328", width: 1.5 } },
    });
    return {
      traces,
      layout: {
        scene: {
          xaxis: { title: { text: inScene(plane.along[0]), font: SPATIAL }, range: x, nticks: 4, tickfont: SMALL },
          yaxis: { title: { text: inScene(plane.along[1]), font: SPATIAL }, range: y, nticks: 4, tickfont: SMALL },
          zaxis: { title: { text: this.sizes.surface.width < PHONE ? "" : "loss", font: SPATIAL }, ...ticks(plane), tickfont: SMALL },
          aspectmode: "manual",
          aspectratio: { x: 1.15, y: 1.15, z: 0.8 },
          dragmode: "orbit",
          camera: this.camera ?? from(this.sizes.surface.width),
        },
      },
    };
  }

  // A path at its true loss, as far as it is over the surface.
  path3d(result, epoch, plane) {
    const look = this.style(result.look);
    const last = result.indexAt(epoch);
    const line = cutOff(result, plane, last);
    const [x, y, z] = headOf(result, last);
    return [
      {
        type: "scatter3d", ...line, mode: "lines", name: escape(result.name),
        line: { color: look.color, dash: look.dash, width: 6 }, hoverinfo: "skip",
      },
      {
        type: "scatter3d", x: [x], y: [y], z: [z], mode: "markers", name: escape(result.name),
        marker: { color: look.color, symbol: look.symbol, size: 6, line: { color: CASING, width: 1 } },
        hovertemplate: `<b>${escape(result.name)}</b><extra></extra>`,
      },
    ];
  }

  // The paths on the surface alone, at another epoch: while a descent is played, as often as a
  // fifth of the time allows.
  follow({ plane, results, epoch }) {
    const now = performance.now();
    if (now < (this.nextFollow ?? 0)) return;
    const paths = results.flatMap((result) => this.path3d(result, epoch, plane));
    const axis = (name) => paths.map((path) => path[name]);
    Plotly.restyle(this.plots.surface, { x: axis("x"), y: axis("y"), z: axis("z") }, paths.map((_, i) => i + 1));
    this.nextFollow = performance.now() + Math.max(200, 4 * (performance.now() - now));
  }

  // Turn the surface, by keyboard too.
  turn(degrees, tilt, nearer) {
    const plot = this.plots.surface;
    const camera = structuredClone(plot.layout.scene.camera);
    const { x, y, z } = camera.eye;
    const radius = Math.hypot(x, y, z) * nearer;
    const angle = Math.atan2(y, x) + (degrees * Math.PI) / 180;
    const height = Math.min(1.5, Math.max(-0.2, Math.asin(z / Math.hypot(x, y, z)) + (tilt * Math.PI) / 180));
    camera.eye = {
      x: radius * Math.cos(height) * Math.cos(angle),
      y: radius * Math.cos(height) * Math.sin(angle),
      z: radius * Math.sin(height),
    };
    this.camera = camera;
    Plotly.relayout(plot, { "scene.camera": camera });
  }

  rememberCamera() {
    this.plots.surface.on("plotly_relayout", (change) => {
      if (change["scene.camera"]) this.camera = change["scene.camera"];
    });
  }

  // A PNG as a data address, with the legend that the page shows beside the charts.
  picture(name) {
    const plot = this.plots[name];
    const layout = { ...plot.layout, showlegend: true, margin: { ...plot.layout.margin, t: 60, autoexpand: true } };
    layout.legend = { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 };
    layout.paper_bgcolor = dark.matches ? "#14191f" : "#ffffff";
    return Plotly.toImage({ data: plot.data, layout }, { format: "png", width: 900, height: 640, scale: 2 });
  }
}

// Where the surface is first seen from: further away on a phone, where its labels would be cut.
function from(width) {
  const far = Math.max(1, PHONE / width);
  return { eye: { x: 1.55 * far, y: -1.65 * far, z: 0.95 * far }, center: { x: 0, y: 0, z: -0.1 } };
}

// The current run is drawn last, over the others.
const backwards = (results) => [...results].reverse();
const uid = (result) => (result.current ? "current" : `kept-${result.look}`);

function axis(title, range) {
  return { title: { text: escape(title), standoff: 6, font: { size: 12 } }, range, automargin: false, fixedrange: true, ticks: "outside", nticks: 7 };
}

function epochAxis(range) {
  const few = range[1] - range[0] < 7; // no ticks between two epochs
  return { ...axis("epoch", range), ...(few ? { tick0: 0, dtick: 1 } : {}) };
}

function logAxis(title, [low, high]) {
  const at = logTicks(low, high);
  return { ...axis(title, [low, high]), type: "log", tickvals: at.map((k) => 10 ** k), ticktext: powers(at) };
}

function floor(x, y, name, color) {
  return { x, y, name, mode: "lines", line: { color, width: 1.6, dash: "dash" }, hovertemplate: `${name}<br>%{y:,.6~g}<extra></extra>` };
}

function head(x, y, look, result) {
  return {
    x, y, mode: "markers", name: escape(result.name), uid: `${uid(result)}-head`, showlegend: false, hoverinfo: "skip",
    marker: { color: look.color, symbol: look.symbol, size: 11, line: { color: CASING, width: 1.5 } },
  };
}

function star(plane) {
  const [x, y] = [0, 1].map((a) => plane.ranges[a][0] + plane.exact[a] * (plane.ranges[a][1] - plane.ranges[a][0]));
  return {
    x: [x], y: [y], mode: "markers", name: "exact solution",
    marker: { symbol: "star", size: 14, color: CASING, line: { color: "#1f2328", width: 1.5 } },
    hovertemplate: `<b>exact solution</b><br>${escape(plane.along[0])} %{x:,.6~g}<br>${escape(plane.along[1])} %{y:,.6~g}<extra></extra>`,
  };
}

export function showsFloor(results, rows) {
  return rows.exact.loss > 0 && results.every((result) => result.settings.loss === "mse");
}

function grid(plane) {
  plane.rows ??= Array.from({ length: plane.points }, (_, i) => plane.grid.subarray(i * plane.points, (i + 1) * plane.points));
  return plane.rows;
}

// The ticks of the heights, worked out once for a plane.
function ticks(plane) {
  if (!plane.ticks) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of plane.grid) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const tickvals = logTicks(low, high);
    plane.ticks = { tickvals, ticktext: powers(tickvals) };
    plane.levels = { start: low, end: high, size: (high - low) / LEVELS || 1 };
  }
  return plane.ticks;
}

function levels(plane) {
  ticks(plane);
  return plane.levels;
}

const MARKS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "$": "&#36;" };
const escape = (text) => text.replace(/[&<>{$]/g, (mark) => MARKS[mark]);
// A scene knows tags, and no entities.
const inScene = (text) => text.replaceAll("<", "<\u200b");
