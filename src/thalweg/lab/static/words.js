// The charts in words and tables, for whoever does not see them, or wants the numbers.
// Not here: the charts.

import { showsFloor } from "./charts.js";
import { byId, table } from "./dom.js";
import { number, percent } from "./format.js";

const ROWS = 40; // of a table, spread evenly

const LOSSES = { mse: "mean squared error", l1: "mean absolute error", huber: "Huber loss" };

// One sentence on the current run: what stands beside the epoch.
export function result({ rows, results, epoch }) {
  const run = results[0];
  const i = run.indexAt(epoch);
  const at = run.at[i];
  const names = rows.parameters;
  if (run.outcome === "diverged" && epoch === null) {
    return `Diverged after ${number(run.epochs_walked)} epochs: lower the learning rate.`;
  }
  const loss = run.loss === null ? "∞" : number(10 ** run.height[i], 4);
  if (epoch !== null) return `Epoch ${number(at)}: mean squared error ${loss}.`;
  const ends = names.length <= 2 ? names.map((name, j) => `${name} ${number(run.parameters[j], 5)}`).join(", ") : "";
  return `After ${number(run.epochs_walked)} epochs: mean squared error ${loss}, ${above(run, rows)}.${ends ? ` Ends at ${ends}.` : ""}`;
}

export function above(run, rows) {
  if (!(rows.exact.loss > 0)) return "where the exact solution's is 0";
  const share = run.loss / rows.exact.loss - 1;
  if (share < 1e-9) return "that of the exact solution";
  return `${percent(share)} ${share > 10 ? "that of" : "above"} the exact solution`;
}

export function summaries(shown) {
  const { rows, results, plane, epoch } = shown;
  const run = results[0];
  const kept = results.length > 1 ? ` ${results.length - 1} kept ${results.length > 2 ? "runs are" : "run is"} drawn beside it.` : "";
  const when = epoch === null ? "at the end" : `at epoch ${number(run.at[run.indexAt(epoch)])}`;
  const i = run.indexAt(epoch);
  return {
    data: (rows.one ? line(rows, run, i, when) : `Predictions of ${rows.target} from ${rows.features.length} features ${when}, against the actual values of ${rows.n.toLocaleString("en-US")} rows; on the dashed line they would be exact.`) + beyond(shown, run, i) + kept,
    loss: lossWords(shown, run) + kept,
    map: mapWords(plane, rows, run, i, when) + kept,
    surface: `The same surface in three dimensions, from ${number(10 ** Math.min(...plane.grid), 3)} to ${number(10 ** Math.max(...plane.grid), 3)}; turn it with the buttons or the pointer.`,
  };
}

function line(rows, run, i, when) {
  const z = (x) => rows.standardize([x]);
  const [a, b] = [run.predict(i, z(0)), run.predict(i, z(1))];
  const [low, high] = rows.ends();
  const slope = (run.predict(i, z(high)) - run.predict(i, z(low))) / (high - low);
  return `${rows.n} rows; ${when} the line is ${rows.target} = ${number(Number.isFinite(a) ? a : b, 4)} ${slope < 0 ? "−" : "+"} ${number(Math.abs(slope), 4)} × ${rows.features[0]}.`;
}

// Why a chart shows nothing of a run.
function beyond({ rows, axes }, run, i) {
  const [low, high] = axes.data.y;
  const seen = rows.Z.some((z) => run.predict(i, z) >= low && run.predict(i, z) <= high);
  return seen ? "" : " All of the predictions lie outside the chart.";
}

function lossWords({ rows, results }, run) {
  const kind = LOSSES[run.settings.loss];
  if (!run.losses.length) return "No epoch was walked.";
  const first = number(run.losses[0], 4);
  const last = number(run.losses.at(-1), 4);
  const floor = showsFloor(results, rows) ? ` The exact solution's is ${number(rows.exact.loss, 4)}.` : "";
  if (run.outcome === "diverged") return `The ${kind} grew from ${first} to ${last} in ${number(run.epochs_walked)} epochs: the descent diverged.${floor}`;
  return `The ${kind} went from ${first} to ${last} in ${number(run.epochs_walked)} epochs.${floor}`;
}

function mapWords(plane, rows, run, i, when) {
  const note = run.settings.loss === "mse" ? "" : ` The map shows the mean squared error; the descent goes down the ${LOSSES[run.settings.loss]}.`;
  const held = run.held < 0.9995 ? ` The plane holds ${number(100 * run.held, 3)} % of the path's movement.` : "";
  return `From ${plane.along[0]} ${number(run.across(0), 4)}, ${plane.along[1]} ${number(run.up(0), 4)} the path has come to ${number(run.across(i), 4)}, ${number(run.up(i), 4)} ${when}; the exact solution lies at ${number(plane.ranges[0][0] + plane.exact[0] * (plane.ranges[0][1] - plane.ranges[0][0]), 4)}, ${number(plane.ranges[1][0] + plane.exact[1] * (plane.ranges[1][1] - plane.ranges[1][0]), 4)}.${held}${note}`;
}

// The tables are made when they are opened, and again when they are open and the runs change.
export function tables(shown) {
  for (const figure of document.querySelectorAll(".chart")) {
    const details = figure.querySelector("details.table");
    const make = () => details.open && figure.querySelector(".scroll").replaceChildren(tableOf(figure.dataset.chart, shown));
    details.ontoggle = make;
    make();
  }
}

function tableOf(name, shown) {
  const { rows, results, plane, epoch } = shown;
  if (name === "data") {
    return table("Rows and predictions", ["row", ...rows.features, rows.target, ...results.map((r) => r.name)],
      even(rows.X.length).map((i) => [String(i + 1), ...rows.X[i].map((x) => number(x)), number(rows.y[i]), ...results.map((r) => number(r.predict(r.indexAt(epoch), rows.Z[i])))]));
  }
  if (name === "loss") {
    const run = results[0];
    return table(`Loss by epoch of ${run.name}`, ["epoch", "loss"], even(run.losses.length).map((i) => [number(run.loss_at[i]), number(run.losses[i])]));
  }
  if (name === "map") {
    const run = results[0];
    return table(`Path of ${run.name}`, ["epoch", plane.along[0], plane.along[1], "mean squared error"],
      even(run.size).map((i) => [number(run.at[i]), number(run.across(i)), number(run.up(i)), number(10 ** run.height[i])]));
  }
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const value = (range, share) => range[0] + share * (range[1] - range[0]);
  const at = (share) => Math.round(share * (plane.points - 1));
  return table(`Mean squared error: ${plane.along[1]} down, ${plane.along[0]} across`, [plane.along[1], ...ticks.map((s) => number(value(plane.ranges[0], s), 4))],
    ticks.map((s) => [number(value(plane.ranges[1], s), 4), ...ticks.map((t) => number(10 ** plane.grid[at(s) * plane.points + at(t)], 4))]));
}

function even(count) {
  if (count <= ROWS) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: ROWS }, (_, i) => Math.round((i * (count - 1)) / (ROWS - 1)));
}

// Said aloud, but not for each step of a slider: only the last after a pause.
let pending;
export function announce(text) {
  clearTimeout(pending);
  pending = setTimeout(() => {
    const status = byId("status");
    if (status.textContent !== text) status.textContent = text;
  }, 700);
}
