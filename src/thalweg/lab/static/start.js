// Choosing where the descent begins by clicking or dragging on the map of the loss.

import { MARGINS } from "./charts.js";

// `chosen` is told the parameters, and whether the hand rests.
export function listenToMap(plot, shown, chosen) {
  const frame = plot.parentElement;
  let held = false;
  let last = null;

  const parameters = (event) => {
    const { axes, plane } = shown();
    const { l, r, t, b } = MARGINS.map;
    const rect = plot.getBoundingClientRect();
    const x = (event.clientX - rect.left - l) / (rect.width - l - r);
    const y = 1 - (event.clientY - rect.top - t) / (rect.height - t - b);
    if (!held && (x < 0 || x > 1 || y < 0 || y > 1)) return null;
    const at = [
      axes.map.x[0] + x * (axes.map.x[1] - axes.map.x[0]) - plane.offset[0],
      axes.map.y[0] + y * (axes.map.y[1] - axes.map.y[0]) - plane.offset[1],
    ];
    return plane.origin.map((o, j) => o + at[0] * plane.directions[0][j] + at[1] * plane.directions[1][j]);
  };

  frame.addEventListener("pointerdown", (event) => {
    if (!shown() || event.button !== 0) return;
    last = parameters(event);
    if (!last) return;
    held = true;
    frame.setPointerCapture(event.pointerId);
    chosen(last, false);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!held) return;
    last = parameters(event);
    chosen(last, false);
  });
  const release = () => {
    if (!held) return;
    held = false;
    chosen(last, true);
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
}
