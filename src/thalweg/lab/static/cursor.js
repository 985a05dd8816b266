// The epoch under the pointer on the loss chart: a press, dragged or not, goes there; a pointer that
// only hovers is told too, and null when it leaves.
// Not here: what is shown of an epoch.

import { MARGINS } from "./charts.js";

export function listenToLoss(plot, shown, { go, hover }) {
  const frame = plot.parentElement;
  let held = false;

  // Beside the axes it is null, unless the pointer is held.
  const under = (event) => {
    if (!shown()) return null;
    const { l, r } = MARGINS.loss;
    const rect = plot.getBoundingClientRect();
    const share = (event.clientX - rect.left - l) / (rect.width - l - r);
    if (!held && (share < 0 || share > 1)) return null;
    const { axes, results } = shown();
    const [low, high] = axes.loss.x;
    const epoch = Math.round(low + share * (high - low));
    return Math.min(results[0].epochs_walked, Math.max(0, epoch));
  };

  frame.addEventListener("pointerdown", (event) => {
    const epoch = under(event);
    if (epoch === null || event.button !== 0) return;
    held = true;
    frame.setPointerCapture(event.pointerId);
    go(epoch, false);
  });
  frame.addEventListener("pointermove", (event) => {
    const epoch = under(event);
    if (held) go(epoch, false);
    else if (epoch !== null) hover(epoch);
  });
  const release = (event) => {
    if (held) go(under(event), true);
    held = false;
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("pointerleave", () => held || !shown() || hover(null));
}
