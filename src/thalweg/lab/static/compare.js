// The legend of all charts, and the table of the kept runs.
// Not here: keeping (state), drawing.

import { byId, element, svg } from "./dom.js";
import { number } from "./format.js";
import { DASHES, shape } from "./preview.js";

const COLUMNS = [
  ["name", "Run", (run) => run.name],
  ["settings", "Settings", (run) => describe(run.settings)],
  ["loss", "Final mean squared error", (run) => run.loss ?? Infinity],
  ["distance", "Distance from the exact solution", (run) => run.distance ?? Infinity],
  ["outcome", "Outcome", (run) => run.outcome.replaceAll("_", " ")],
];

export class Compare {
  constructor(style, { remove, take, rename }) {
    Object.assign(this, { style, remove, take, rename });
    this.sorted = { column: null, down: false };
  }

  show(shown) {
    this.shown = shown;
    this.legend(shown);
    const kept = shown.results;
    const box = byId("kept");
    if (kept.length < 2) {
      box.replaceChildren(element("p", { className: "hint" }, "Keep a run, and it stays on all charts while you try the next."));
      return;
    }
    const active = document.activeElement?.dataset?.sort;
    box.replaceChildren(
      element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of runs" },
        element("table", {},
          element("caption", { className: "visually-hidden" }, "The current run and those kept"),
          element("thead", {}, element("tr", {}, ...COLUMNS.map((column) => this.head(column)), element("th", { scope: "col" }, "Actions"))),
          element("tbody", {}, ...this.order(kept).map((run) => this.row(run))))),
      element("p", { className: "hint" }, `Distance: how far the predictions are from those of the exact solution, root mean square, in units of ${shown.rows.target}.`));
    if (active) box.querySelector(`[data-sort="${active}"]`)?.focus();
  }

  head([key, label]) {
    const on = this.sorted.column === key;
    const button = element("button", { type: "button", className: "sort", dataset: { sort: key } }, label, on ? (this.sorted.down ? " ▼" : " ▲") : "");
    button.onclick = () => {
      this.sorted = { column: key, down: on ? !this.sorted.down : false };
      this.show(this.shown);
    };
    return element("th", { scope: "col", "aria-sort": on ? (this.sorted.down ? "descending" : "ascending") : "none" }, button);
  }

  order(runs) {
    const column = COLUMNS.find(([key]) => key === this.sorted.column);
    if (!column) return runs;
    const value = column[2];
    const sign = this.sorted.down ? -1 : 1;
    return [...runs].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return sign * (typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true }));
    });
  }

  row(run) {
    const actions = run.current ? "" : element("div", { className: "buttons" },
      element("button", { type: "button", className: "small", onclick: () => this.take(run), "aria-label": `Go back to ${run.name}` }, "Go back to it"),
      element("button", { type: "button", className: "small", onclick: () => this.remove(run), "aria-label": `Remove ${run.name}` }, "Remove"));
    const name = run.current ? run.name : element("input", { type: "text", value: run.name, maxLength: 40, "aria-label": `Name of ${run.name}`, onchange: (event) => this.rename(run, event.target.value.trim() || run.name) });
    return element("tr", {}, element("th", { scope: "row" }, swatch(this.style(run.look)), name),
      element("td", {}, describe(run.settings)), element("td", {}, number(run.loss)), element("td", {}, number(run.distance)),
      element("td", {}, run.outcome.replaceAll("_", " ")), element("td", {}, actions));
  }

  legend({ results, rows }) {
    const entries = results.map((run) => element("li", {}, swatch(this.style(run.look)), run.current ? "current run" : run.name));
    const exact = svg("svg", { width: 34, height: 14, "aria-hidden": "true" });
    exact.append(svg("path", { d: "M1 7H33", stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": "5 3" }));
    byId("legend").replaceChildren(...entries, element("li", { className: "quiet" }, exact, `${rows.one ? "exact solution" : "exact"}, ☆ on the map`));
  }
}

export function describe(settings) {
  const parts = [settings.optimizer, `lr ${number(settings.lr, 4)}`, `${number(settings.epochs)} epochs`];
  if (settings.batch_size !== null) parts.push(`batches of ${settings.batch_size}`);
  for (const [name, on] of [["shuffle", settings.shuffle], ["drop last", settings.drop_last], ["standardised", settings.standardize]]) if (on) parts.push(name);
  if (settings.loss !== "mse") parts.push(settings.loss);
  if (settings.start !== null) parts.push("own start");
  if (settings.seed) parts.push(`seed ${settings.seed}`);
  for (const [name, value] of Object.entries(settings.hyperparameters)) parts.push(`${name} ${value}`);
  return parts.join(", ");
}

// A short piece of a run's line with its marker.
function swatch(look) {
  const made = svg("svg", { width: 34, height: 14, "aria-hidden": "true", class: "swatch" });
  made.append(
    svg("path", { d: "M1 7H33", stroke: look.color, "stroke-width": 2.4, "stroke-dasharray": DASHES[look.dash] || "none" }),
    svg("path", { d: shape(look.symbol, 17, 7, 4.5), fill: look.color, stroke: look.symbol === "x" ? look.color : "none", "stroke-width": 2 }));
  return made;
}
