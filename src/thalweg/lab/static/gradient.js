// The gradient at the epoch under the cursor, term by term, and the step that follows.
// Not here: working it out.

import { byId, element, table } from "./dom.js";
import { number } from "./format.js";

const SLOPES = { mse: "2 (prediction − target)", l1: "sign of (prediction − target)", huber: "slope of the Huber loss" };
const WIDE = 3; // features up to which each term is written out

export class Gradient {
  constructor(torch, askAutograd) {
    this.torch = torch;
    this.askAutograd = askAutograd;
    this.visible = false;
    new IntersectionObserver((entries) => {
      this.visible = entries.some((entry) => entry.isIntersecting);
      if (this.visible) this.compare();
    }).observe(byId("gradient"));
  }

  show(found, rows) {
    this.found = found;
    this.checked = null;
    this.rows = rows;
    this.draw();
    if (this.visible) this.compare();
  }

  // PyTorch takes a while to load: it is asked only when somebody looks.
  compare() {
    if (!this.found || this.checked || !this.torch) return;
    this.askAutograd(this.found.epoch, (checked) => {
      if (checked.epoch !== this.found.epoch) return;
      this.checked = checked;
      this.draw();
    });
  }

  draw() {
    const { found, rows } = this;
    const [d, p] = [rows.features.length, found.names.length];
    const parts = [element("p", {}, this.sentence())];
    parts.push(scrolled("Gradient and step", this.sums()));
    if (d <= WIDE) parts.push(element("details", { open: this.open ?? d === 1, ontoggle: (event) => (this.open = event.target.open) }, element("summary", {}, "Term by term"), scrolled("Terms", this.terms(d, p))));
    byId("gradient").replaceChildren(...parts);
  }

  sentence() {
    const { found, rows } = this;
    const mini = found.batches ? " The gradient is that of all the rows; each step of the descent saw a batch of them." : "";
    const scaled = found.standardized ? " The step was made in standardised features, and is shown in your units." : "";
    return `Epoch ${number(found.epoch)}. The gradient is the mean over the ${rows.n.toLocaleString("en-US")} rows of ${SLOPES[found.loss]}, times the feature for a weight, times 1 for the bias.${mini}${scaled}`;
  }

  sums() {
    const { found } = this;
    const check = this.checked ? null : this.torch ? "…" : "PyTorch is not installed";
    return table("Gradient and step", ["parameter", "value", "gradient by hand", "by autograd", "the next step"],
      found.names.map((name, j) => [name, number(found.parameters[j], 6), number(found.gradient[j], 6), check ?? number(this.checked.autograd[j], 6), found.step ? number(found.step[j], 6) : "none: the end"]));
  }

  terms(d, p) {
    const { found, rows } = this;
    const heads = ["row", ...rows.features, rows.target, "prediction", "residual", "slope", ...found.names.map((name) => `${name}: slope${name === "bias" ? "" : ` × ${d === 1 ? rows.features[0] : name}`} / n`)];
    const body = found.terms.map((row, i) => [String(i + 1), ...row.map((value) => number(value))]);
    const blank = Array(d + 4).fill("");
    if (found.others) body.push([`the other ${found.remaining.toLocaleString("en-US")}`, ...blank, ...found.others.map((value) => number(value))]);
    body.push(["sum", ...blank, ...found.gradient.map((value) => number(value, 6))]);
    return table("Terms of the gradient", heads, body);
  }
}

function scrolled(label, content) {
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, content);
}
