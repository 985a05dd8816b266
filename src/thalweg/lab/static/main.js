// The page: settings in, frames out, four charts, one state. Everything else is told from here.

import { Charts, dark } from "./charts.js";
import { Compare } from "./compare.js";
import { Controls } from "./controls.js";
import { listenToLoss } from "./cursor.js";
import { byId } from "./dom.js";
import { Gradient } from "./gradient.js";
import { Link } from "./link.js";
import { Result, Rows, axes as axesOf } from "./model.js";
import { Preview } from "./preview.js";
import { RowsPanel } from "./rows.js";
import { asked, copy, initial, read, write } from "./state.js";
import { Take } from "./take.js";
import { Time } from "./time.js";
import { chartButtons } from "./toolbar.js";
import { listenToMap } from "./start.js";
import { showWhy } from "./why.js";
import { announce, result as resultWords, summaries, tables } from "./words.js";

const LANES = { data: "fit", move: "fit", show: "fit", moment: "moment", explain: "explain" };
const REST = 700; // milliseconds without a movement after which a held hand counts as resting
const HISTORY = 1000; // changes within so many belong to one entry of the browser's history

class Lab {
  constructor() {
    this.shown = null; // what the charts show: rows, results, plane, axes, epoch
    this.hand = false; // whether it moves
    this.established = null; // the rows that the server has: `state.data` of that moment
    this.pushed = 0;
    if (!window.Plotly) this.trouble("plotly.js did not load: reload the page.");
    this.link = new Link({
      lanes: LANES,
      version: 1,
      hello: (greeting) => this.hello(greeting),
      lost: () => this.connection("lost"),
      trouble: (text, message) => this.refused(text, message),
    });
  }

  connection(state) {
    const line = byId("connection");
    line.dataset.state = state;
    line.textContent = { open: "Connected", lost: "Connection lost; trying again…" }[state];
    document.body.dataset.connection = state;
  }

  async hello(greeting) {
    this.connection("open");
    this.established = null;
    if (this.greeting) {
      Object.assign(this.greeting, greeting); // the page's own parts hold on to this object
      this.load();
      return;
    }
    this.greeting = greeting;
    this.defaults = greeting.controls.defaults;
    this.state = await read(location.hash.slice(1), this.defaults);
    if (!location.hash && greeting.data.source === "file") this.startWithFile(greeting.data);
    this.build();
    await this.load();
  }

  startWithFile(data) {
    this.state.data = { source: "file", target: data.target, features: data.features };
  }

  build() {
    const { controls } = this.greeting;
    this.charts = new Charts(controls.look);
    this.preview = new Preview(this.charts);
    this.controls = new Controls(controls, (settings, rests) => this.change({ settings }, rests));
    this.time = new Time((epoch, rests) => this.moment(epoch, rests));
    this.compare = new Compare((index) => this.charts.style(index), {
      remove: (run) => this.change({ kept: this.state.kept.filter((each) => each.look !== run.look) }, true),
      rename: (run, name) => this.change({ kept: this.state.kept.map((each) => (each.look === run.look ? { ...each, name } : each)) }, true),
      take: (run) => this.change({ settings: copy(run.settings) }, true),
    });
    this.rowsPanel = new RowsPanel({
      greeting: this.greeting, plot: this.charts.plots.data,
      use: (data, rests) => this.useRows(data, rests), say: announce, trouble: (text) => this.trouble(text),
    });
    this.rowsPanel.axes = () => this.shown.axes;
    this.gradient = new Gradient(this.greeting.torch, (epoch, answered) =>
      this.link.ask({ type: "moment", autograd: true, epoch, runs: [this.sent(this.state.settings)] }, answered));
    this.take = new Take({
      picture: (name) => this.charts.picture(name), say: announce, trouble: (text) => this.trouble(text),
      request: () => this.downloadRequest(),
    });
    chartButtons(this);
    listenToMap(this.charts.plots.map, () => this.shown, (start, rests) => this.change({ settings: { ...this.state.settings, start } }, rests));
    byId("keep").onclick = () => this.keep();
    listenToLoss(this.charts.plots.loss, () => this.shown, {
      go: (epoch, rests) => this.time.go(epoch, rests),
      hover: (epoch) => this.hand || this.time.playing || this.askMoment(epoch),
    });
    addEventListener("popstate", () => this.goTo(location.hash.slice(1)));
    dark.addEventListener("change", () => this.commit());
    let resized;
    new ResizeObserver(() => {
      clearTimeout(resized);
      resized = setTimeout(() => this.charts.resized() && this.commit(), 120);
    }).observe(byId("charts"));
  }

  // --- Changing what is asked ----------------------------------------------------------------

  change(parts, rests) {
    Object.assign(this.state, parts);
    this.time.stop();
    this.ask(rests);
  }

  useRows(data, rests) {
    const fresh = data.source !== "rows" || this.state.data.source !== "rows";
    const other = fresh || data.features.join() !== this.state.data.features.join();
    this.state.data = data;
    if (other) {
      this.state.view = { along: null, ranges: null };
      if (this.state.settings.start !== null && data.features?.length !== this.shown?.rows.features.length) {
        this.state.settings = { ...this.state.settings, start: null };
      }
    }
    this.ask(rests);
  }

  // The hand moved: one run now. It rests: all of it, charts committed.
  ask(rests) {
    clearTimeout(this.resting);
    this.calm();
    this.hand = !rests;
    if (rests) {
      this.askAll();
      return;
    }
    const quick = ["rows", "chapters"].includes(this.state.data.source);
    const data = this.established === this.state.data || !quick ? undefined : this.state.data;
    const source = this.state.data;
    this.link.ask({ type: "move", runs: [this.sent(this.state.settings)], data }, (answer) => {
      if (data) this.established = source;
      this.moved(answer);
    });
    this.resting = setTimeout(() => this.ask(true), REST);
  }

  askAll(history = true) {
    const runs = [this.state.settings, ...this.state.kept.map((run) => run.settings)];
    const settings = copy(this.state.settings);
    const kept = copy(this.state.kept);
    const source = this.state.data;
    const ask = () =>
      this.link.ask({ type: "show", runs: runs.map((run) => this.sent(run)), view: this.state.view, data: this.quickly(source) }, (answer) => {
        this.established = source;
        this.showAll(answer, settings, kept, source, history);
      });
    if (this.established === source || this.quickly(source)) ask();
    else {
      this.link.ask({ type: "data", data: source }, (answer) => {
        this.established = source;
        this.described = answer.data;
        ask();
      });
    }
  }

  // Rows that the server has at hand travel with the question itself.
  quickly(source) {
    if (this.established === source) return undefined;
    return ["rows", "chapters"].includes(source.source) ? source : undefined;
  }

  sent(settings) {
    return asked(settings, this.defaults);
  }

  async load() {
    const { state } = this;
    if (state.damaged) this.trouble(`This link's ${state.damaged} cannot be read: the page shows what the rest of it says. Copy the link again, whole.`);
    delete state.damaged;
    if (state.missing) this.trouble(`This link was made with rows that it could not hold (${state.missing}): drop that file on the page. Until then it shows the chapters.`);
    delete state.missing;
    if (state.data.source === "upload") {
      const { page } = this.greeting;
      const data = await this.rowsPanel.again(state.data).catch((error) => error);
      if (page !== this.greeting.page || !this.link.open) return; // lost again: the next greeting loads
      if (data instanceof Error) this.trouble(data.message);
      this.state.data = data instanceof Error ? { source: "chapters" } : data;
    }
    this.askAll(false);
  }

  async goTo(fragment) {
    const before = this.state;
    this.calm();
    this.time.stop();
    this.state = await read(fragment, this.defaults);
    if (!fragment && this.greeting.data.source === "file") this.startWithFile(this.greeting.data);
    const same = JSON.stringify(before.data) === JSON.stringify(this.state.data);
    if (same || (before.data.source === "upload" && this.state.data.name === before.data.name)) this.state.data = before.data;
    await this.load();
  }

  // --- Showing what was answered -------------------------------------------------------------

  moved(answer) {
    if (!this.shown) return;
    if (answer.data) this.shown.rows = new Rows(answer.data);
    const [first, ...kept] = this.shown.results;
    const current = this.result(answer.runs[0], answer.ranges, this.state.settings);
    this.shown = { ...this.shown, results: [current, ...kept], epoch: this.state.epoch, moved: Boolean(answer.data) || this.shown.moved };
    this.preview.draw(this.shown, false);
    this.words();
    if (first.epochs_walked !== current.epochs_walked) this.time.show(this.state.epoch, current.epochs_walked);
  }

  showAll(answer, settings, kept, source, history) {
    const described = answer.data ?? this.described;
    this.described = undefined;
    const rows = described ? new Rows(described) : this.shown.rows;
    const results = answer.runs.map((run, i) =>
      i === 0 ? this.result(run, answer.plane.ranges, settings) : new Result(run, answer.plane.ranges, { ...kept[i - 1], current: false }));
    const { plane } = answer;
    this.shown = { rows, results, plane, epoch: this.state.epoch, axes: axesOf(rows, results, plane), answer };
    if (this.state.epoch !== null && this.state.epoch >= results[0].epochs_walked) this.state.epoch = this.shown.epoch = null;
    this.source = source;
    this.controls.show(this.state.settings, {
      n: rows.n, parameters: rows.parameters, start: results[0].start, span: this.span(answer), stable: answer.stable_rate,
      whole: this.state.settings.batch_size === null || this.state.settings.batch_size >= rows.n,
    });
    if (described) this.rowsPanel.show(rows, source);
    this.time.show(this.state.epoch, results[0].epochs_walked);
    this.words();
    if (this.hand) return; // it has moved on meanwhile
    this.commit();
    this.address(history);
    this.followUp();
  }

  // The slider's ends, wide enough for the value that it stands at.
  span({ lr_span: [low, high] }) {
    const { lr } = this.state.settings;
    return [Math.min(low, 10 ** Math.floor(Math.log10(lr))), Math.max(high, 10 ** Math.ceil(Math.log10(lr)))];
  }

  result(frame, ranges, settings) {
    return new Result(frame, ranges, { name: "current run", look: 0, settings, current: true });
  }

  moment(epoch, rests) {
    this.state.epoch = epoch;
    if (!this.shown) return;
    this.shown = { ...this.shown, epoch };
    this.time.show(epoch, this.shown.results[0].epochs_walked);
    this.preview.draw(this.shown, true);
    this.words();
    clearTimeout(this.resting);
    if (this.time.playing) {
      this.charts.follow(this.shown);
      return;
    }
    this.resting = setTimeout(() => {
      this.commit();
      this.address(true);
      this.askMoment();
    }, rests ? 0 : REST);
  }

  words() {
    const text = resultWords(this.shown);
    const line = byId("result");
    line.textContent = text;
    const diverged = this.shown.results[0].outcome === "diverged";
    line.classList.toggle("diverged", diverged);
    document.body.dataset.outcome = this.shown.results[0].outcome;
    if (!this.time.playing) announce(text);
  }

  async commit() {
    if (!this.shown) return;
    const round = (this.round = (this.round ?? 0) + 1);
    const { shown } = this;
    const wanted = () => round === this.round && !this.hand && !this.time.playing;
    await this.charts.commit(shown, wanted, (name) => {
      if (wanted()) this.preview.settle(name);
    });
    if (!wanted()) return;
    if (!this.watchesCamera) {
      this.watchesCamera = true;
      this.charts.rememberCamera();
      // After the frame with all four: how long the page takes is measured by it.
      requestAnimationFrame(() => setTimeout(() => performance.mark("painted")));
    }
    const texts = summaries(shown);
    for (const figure of document.querySelectorAll(".chart")) {
      figure.querySelector(".summary").textContent = texts[figure.dataset.chart];
    }
    tables(shown);
    this.compare.show(shown);
    this.toolbar?.(shown);
    document.body.dataset.committed = String(round);
  }

  async address(history) {
    const { rows } = this.shown;
    const { name, features, target, units, X, y } = rows;
    const whole = rows.whole ? { name, features, target, units, X, y } : null;
    const { fragment, fits } = await write(this.state, this.defaults, whole);
    this.take.show(this.shown.answer.python, fits);
    if (fragment === location.hash.slice(1)) return;
    const now = performance.now();
    const address = fragment ? `#${fragment}` : location.pathname;
    if (history && now - this.pushed > HISTORY) {
      window.history.pushState(null, "", address);
      this.pushed = now;
    } else window.history.replaceState(null, "", address);
  }

  followUp() {
    clearTimeout(this.following);
    this.following = setTimeout(() => {
      this.askMoment();
      const settings = this.sent(this.state.settings);
      this.link.ask({ type: "explain", runs: [settings] }, (found) => {
        if (JSON.stringify(settings) === JSON.stringify(this.sent(this.state.settings))) {
          const wanted = this.recommended(found.recommended ?? {});
          const same = JSON.stringify(this.sent(wanted)) === JSON.stringify(settings);
          showWhy(found, same, () => this.change({ settings: wanted }, true));
        }
      });
    }, 200);
  }

  // The library's keyword arguments as the page's settings: what they do not name is at its default.
  recommended(words) {
    const settings = { ...copy(this.defaults), hyperparameters: {} };
    for (const [name, value] of Object.entries(words)) {
      if (name in this.defaults) settings[name] = value;
      else settings.hyperparameters[name] = value;
    }
    return settings;
  }

  // The gradient at the epoch that is shown, or at another that the pointer hovers over.
  askMoment(hovered = null) {
    const epoch = hovered ?? this.state.epoch ?? this.shown.results[0].epochs_walked;
    this.link.ask({ type: "moment", epoch, runs: [this.sent(this.state.settings)] }, (found) => this.gradient.show(found, this.shown.rows));
  }

  // --- Actions -------------------------------------------------------------------------------

  keep() {
    const { kept } = this.state;
    if (kept.length + 1 >= this.greeting.controls.limits.runs) {
      this.trouble(`kept runs: got ${kept.length}, expected at most that; remove one first`);
      return;
    }
    let look = 1;
    while (kept.some((run) => run.look === look)) look += 1;
    this.change({ kept: [...kept, { name: `run ${look}`, look, settings: copy(this.state.settings) }] }, true);
    announce(`Kept as run ${look}.`);
  }

  view(view) {
    this.change({ view: { ...this.state.view, ...view } }, true);
  }

  downloadRequest() {
    const runs = [this.state.settings, ...this.state.kept.map((run) => run.settings)];
    const names = ["current run", ...this.state.kept.map((run) => run.name)];
    return {
      body: JSON.stringify({ version: this.greeting.version, type: "download", id: 0, runs: runs.map((run) => this.sent(run)), names }),
      headers: { "X-Thalweg-Page": this.greeting.page },
    };
  }

  refused(text, message) {
    this.trouble(text);
    this.hand = false;
    if (!this.shown) this.fallBack(message?.type === "data");
    else if ((message?.type === "data" || message?.data) && this.state.data !== this.source) {
      this.state.data = this.source;
      if (this.established !== this.state.data) this.askAll(false);
    }
  }

  // The address asks for what cannot be: its rows at first settings, or else what a page begins with.
  fallBack(badRows) {
    this.falls = (this.falls ?? 0) + 1;
    if (this.falls > 2) return;
    const start = initial(this.defaults);
    if (badRows) this.state.data = start.data;
    else this.state = this.falls === 1 ? { ...start, data: this.state.data } : start;
    this.askAll(false);
  }

  trouble(text) {
    const box = byId("trouble");
    box.hidden = false;
    box.textContent = text;
  }

  calm() {
    byId("trouble").hidden = true;
  }
}

window.lab = new Lab();
