// The controls, drawn as the server describes them: a slider, a number box, one sentence each.
// Not here: what a change leads to (`changed` is told the new settings and whether the hand rests).

import { byId, element } from "./dom.js";
import { number, plain } from "./format.js";

const STEPS = 1000; // of a slider

export class Controls {
  constructor(described, changed) {
    this.described = described;
    this.changed = changed;
    this.made = {};
    this.buildDescent();
    this.buildStart();
  }

  // Show settings; `about` says what they are set beside: rows, the learning rate's span.
  show(settings, about) {
    this.settings = settings;
    this.about = about;
    if (this.rule !== settings.optimizer) this.buildRule(settings.optimizer);
    for (const [name, control] of Object.entries(this.made)) control.show(settings[name]);
    const own = this.optimizer().settings;
    for (const setting of own) {
      this.ofRule[setting.name].forEach((control, part) => {
        const value = settings.hyperparameters[setting.name] ?? setting.default;
        control.show(setting.kind === "pair" ? value[part] : value);
      });
    }
    byId("optimizer-says").textContent = this.optimizer().explanation;
    const mini = settings.batch_size !== null;
    this.made.drop_last.enable(mini);
    this.made.shuffle.enable(mini);
    this.made.delta.root.hidden = settings.loss !== "huber";
    this.made.lr.span(about.span, about.stable);
    byId("stable").textContent = this.stability(about);
    this.made.start.show(settings.start);
  }

  optimizer() {
    return this.described.optimizers.find((each) => each.name === this.settings.optimizer);
  }

  stability({ stable, whole }) {
    if (stable !== null) return `Stable below ${number(stable, 3)}: the marked part of the slider.`;
    if (whole && this.settings.loss === "mse") {
      return `${this.optimizer().label}'s steps do not scale with the gradient: no fixed limit.`;
    }
    return "The limit is known for the mean squared loss over all the rows.";
  }

  set(name, value, rests) {
    this.changed({ ...this.settings, [name]: value }, rests);
  }

  setOfRule(setting, part, value, rests) {
    const values = { ...this.settings.hyperparameters };
    let whole = value;
    if (setting.kind === "pair") {
      whole = [...(values[setting.name] ?? setting.default)];
      whole[part] = value;
    }
    values[setting.name] = whole;
    if (JSON.stringify(whole) === JSON.stringify(setting.default)) delete values[setting.name];
    this.changed({ ...this.settings, hyperparameters: values }, rests);
  }

  buildDescent() {
    const { explanations, optimizers } = this.described;
    const options = optimizers.map((each) => element("option", { value: each.name }, each.label));
    const select = element("select", { id: "optimizer" }, ...options);
    select.onchange = () =>
      this.changed({ ...this.settings, optimizer: select.value, hyperparameters: {} }, true);
    this.made.optimizer = { show: (value) => (select.value = value) };
    const says = element("p", { className: "hint", id: "optimizer-says" });
    select.setAttribute("aria-describedby", "optimizer-says");
    byId("descent-controls").append(
      element("div", { className: "control" }, element("label", { for: "optimizer" }, "Optimiser"), select, says),
    );
    this.add("descent-controls", "lr", new NumberControl({
      id: "lr", label: "Learning rate", explanation: explanations.lr, low: 1e-5, high: 100, scale: "log",
      minimum: 0, above: true, changed: (value, rests) => this.set("lr", value, rests),
    }));
    this.made.lr.root.append(element("p", { className: "hint", id: "stable" }));
    this.add("descent-controls", "epochs", new NumberControl({
      id: "epochs", label: "Epochs", explanation: explanations.epochs, low: 1, high: 10_000, scale: "log",
      minimum: 1, whole: true, changed: (value, rests) => this.set("epochs", value, rests),
    }));
    this.add("descent-controls", "batch_size", new BatchControl({
      explanation: explanations.batch_size, rows: () => this.about.n,
      changed: (value, rests) => {
        const settings = { ...this.settings, batch_size: value };
        if (value === null) Object.assign(settings, { drop_last: false, shuffle: false });
        this.changed(settings, rests);
      },
    }));
  }

  buildStart() {
    const { explanations, losses } = this.described;
    const where = "start-controls";
    const loss = element("select", { id: "loss", "aria-describedby": "loss-says" },
      ...losses.map((each) => element("option", { value: each.name }, each.label)));
    loss.onchange = () => {
      const delta = loss.value === "huber" ? this.settings.delta : this.described.defaults.delta;
      this.changed({ ...this.settings, loss: loss.value, delta }, true);
    };
    this.add(where, "loss", {
      root: element("div", { className: "control" }, element("label", { for: "loss" }, "Loss"), loss,
        element("p", { className: "hint", id: "loss-says" }, explanations.loss)),
      show: (value) => (loss.value = value),
    });
    this.add(where, "delta", new NumberControl({
      id: "delta", label: "Huber's delta", explanation: explanations.delta, low: 1e-3, high: 1e5, scale: "log",
      minimum: 0, above: true, changed: (value, rests) => this.set("delta", value, rests),
    }));
    for (const [name, label] of [["standardize", "Standardise"], ["shuffle", "Shuffle"], ["drop_last", "Drop the last batch"]]) {
      this.add(where, name, new FlagControl({
        id: name, label, explanation: explanations[name], changed: (value) => this.set(name, value, true),
      }));
    }
    this.add(where, "seed", new NumberControl({
      id: "seed", label: "Seed", explanation: explanations.seed, low: 0, high: 9999, scale: "linear",
      whole: true, changed: (value, rests) => this.set("seed", value, rests),
    }));
    this.add(where, "start", new StartControl({
      explanation: explanations.start, names: () => this.about.parameters, drawn: () => this.about.start,
      changed: (value) => this.set("start", value, true),
    }));
  }

  buildRule(name) {
    this.rule = name;
    this.ofRule = {};
    const box = byId("rule-controls");
    box.replaceChildren();
    for (const setting of this.optimizer().settings) {
      const label = setting.name.replaceAll("_", " ");
      const controls = setting.kind === "flag"
        ? [new FlagControl({
            id: `rule-${setting.name}`, label, explanation: setting.explanation,
            changed: (value) => this.setOfRule(setting, 0, value, true),
          })]
        : setting.sliders.map((slider, part) => new NumberControl({
            id: `rule-${setting.name}-${part}`,
            label: setting.kind === "pair" ? `${label}, ${["first", "second"][part]}` : label,
            explanation: part ? "" : setting.explanation, ...slider,
            changed: (value, rests) => this.setOfRule(setting, part, value, rests),
          }));
      this.ofRule[setting.name] = controls;
      box.append(...controls.map((control) => control.root));
    }
  }

  add(where, name, control) {
    this.made[name] = control;
    byId(where).append(control.root);
  }
}

// A slider and a number box for the same number.
class NumberControl {
  constructor(options) {
    Object.assign(this, options);
    const { id, label, explanation } = options;
    this.slider = element("input", {
      type: "range", id, min: 0, max: STEPS, step: 1, "aria-describedby": explanation ? `${id}-says` : null,
    });
    this.box = element("input", {
      type: "number", id: `${id}-box`, step: this.whole ? 1 : "any", "aria-label": `${label}, as a number`,
    });
    this.slider.oninput = () => this.take(this.value(Number(this.slider.value)), false);
    this.slider.onchange = () => this.take(this.value(Number(this.slider.value)), true);
    this.box.oninput = () => (this.typing = true);
    this.box.onchange = () => this.typed();
    this.track = element("div", { className: "track" }, this.slider);
    this.root = element("div", { className: "control" },
      element("div", { className: "dial" },
        element("label", { for: id }, label),
        element("div", { className: "pair" }, this.track, this.box)),
      explanation ? element("p", { className: "hint", id: `${id}-says` }, explanation) : null);
  }

  take(value, rests) {
    this.box.value = plain(value);
    this.speak(value);
    this.changed(value, rests);
  }

  typed() {
    this.typing = false;
    const value = Number(this.box.value);
    const low = this.minimum ?? -Infinity;
    const high = this.maximum ?? Infinity;
    const good = this.box.value !== "" && (this.above ? value > low : value >= low) && value <= high
      && (!this.whole || Number.isInteger(value));
    this.box.setCustomValidity(good ? "" : this.expected());
    this.box.toggleAttribute("aria-invalid", !good);
    if (good) this.take(value, true);
    else this.box.reportValidity();
  }

  expected() {
    const kind = this.whole ? "a whole number" : "a number";
    const low = this.minimum === null || this.minimum === undefined ? "" : ` ${this.above ? "above" : "of at least"} ${this.minimum}`;
    const high = this.maximum === null || this.maximum === undefined ? "" : ` up to ${this.maximum}`;
    return `Expected ${kind}${low}${high}.`;
  }

  value(position) {
    const share = position / STEPS;
    if (this.scale !== "log") return this.rounded(this.low + share * (this.high - this.low));
    if (position === 0 && this.minimum === 0 && !this.above) return 0;
    return this.rounded(this.low * (this.high / this.low) ** share);
  }

  rounded(value) {
    return this.whole ? Math.round(value) : Number(value.toPrecision(3));
  }

  position(value) {
    const share = this.scale === "log"
      ? Math.log(Math.max(value, this.low) / this.low) / Math.log(this.high / this.low)
      : (value - this.low) / (this.high - this.low);
    return Math.round(STEPS * Math.min(1, Math.max(0, share)));
  }

  show(value) {
    this.box.setCustomValidity("");
    this.box.removeAttribute("aria-invalid");
    if (!this.typing) this.box.value = plain(value); // what is being typed stays
    // The slider that is being moved knows best where it is.
    if (document.activeElement !== this.slider || this.value(Number(this.slider.value)) !== value) {
      this.slider.value = this.position(value);
    }
    this.speak(value);
  }

  speak(value) {
    this.slider.setAttribute("aria-valuetext", number(value, 4));
  }

  // Where the slider begins and ends, and up to where it is stable.
  span([low, high], stable) {
    const value = Number(this.box.value);
    this.low = low;
    this.high = high;
    this.slider.value = this.position(value);
    this.track.classList.toggle("bounded", stable !== null);
    if (stable !== null) this.track.style.setProperty("--stable", String(this.position(stable) / STEPS));
  }
}

class FlagControl {
  constructor({ id, label, explanation, changed }) {
    this.box = element("input", { type: "checkbox", id, "aria-describedby": `${id}-says` });
    this.box.onchange = () => changed(this.box.checked);
    this.root = element("div", { className: "control flag" },
      element("label", {}, this.box, element("span", {}, label)),
      element("p", { className: "hint", id: `${id}-says` }, explanation));
  }

  show(value) {
    this.box.checked = value;
  }

  enable(on) {
    this.box.disabled = !on;
  }
}

// All the rows, one, or so many.
class BatchControl {
  constructor({ explanation, rows, changed }) {
    Object.assign(this, { rows, changed });
    const radio = (value, label) => {
      const input = element("input", { type: "radio", name: "batch", value });
      input.onchange = () => this.choose(value);
      return element("label", {}, input, element("span", {}, label));
    };
    this.choices = element("div", { className: "choices" }, radio("all", "all rows"), radio("one", "1"), radio("some", "some"));
    this.some = new NumberControl({
      id: "batch-size", label: "Rows a step", explanation: "", low: 1, high: 15, scale: "linear", minimum: 1, whole: true,
      changed: (value, rests) => changed(value, rests),
    });
    this.root = element("fieldset", { className: "control" }, element("legend", {}, "Batch size"),
      this.choices, this.some.root, element("p", { className: "hint" }, explanation));
  }

  choose(value) {
    this.wants = value;
    const n = this.rows();
    this.changed({ all: null, one: 1, some: Math.min(4, n) }[value], true);
  }

  show(size) {
    let choice = size === null ? "all" : size === 1 ? "one" : "some";
    if (choice === "one" && this.wants === "some") choice = "some";
    for (const input of this.choices.querySelectorAll("input")) input.checked = input.value === choice;
    this.some.root.hidden = choice !== "some";
    this.some.high = Math.max(2, this.rows());
    this.some.scale = this.rows() > 100 ? "log" : "linear";
    if (size !== null) this.some.show(size);
  }
}

// Drawn from the seed, or a number for each parameter.
class StartControl {
  constructor({ explanation, names, drawn, changed }) {
    Object.assign(this, { names, drawn, changed });
    this.own = element("input", { type: "checkbox", id: "own-start", "aria-describedby": "start-says" });
    this.own.onchange = () => changed(this.own.checked ? [...this.drawn()] : null);
    this.boxes = element("div", { className: "boxes" });
    this.root = element("div", { className: "control flag" },
      element("label", {}, this.own, element("span", {}, "A start of your own")), this.boxes,
      element("p", { className: "hint", id: "start-says" }, `${explanation} Or click on the map of the loss.`));
  }

  show(start) {
    this.own.checked = start !== null;
    const names = start === null ? [] : this.names();
    this.own.disabled = this.names().length > 12;
    if (this.boxes.childElementCount !== names.length || this.shown !== names.join()) {
      this.shown = names.join();
      this.boxes.replaceChildren(...names.map((name, i) => this.box(name, i)));
    }
    this.boxes.querySelectorAll("input").forEach((box, i) => {
      if (document.activeElement !== box) box.value = plain(start[i]);
    });
    this.values = start;
  }

  box(name, i) {
    const box = element("input", { type: "number", step: "any" });
    box.onchange = () => {
      if (box.value === "" || !Number.isFinite(Number(box.value))) return;
      const values = [...this.values];
      values[i] = Number(box.value);
      this.changed(values);
    };
    return element("label", {}, element("span", {}, name), box);
  }
}
