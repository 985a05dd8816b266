// Where the rows come from: chapters, files, texts, a table that is typed, points on the scatter.
// Not here: what is done with them (`use` is told the source, and whether the hand rests).

import { MARGINS } from "./charts.js";
import { byId, element } from "./dom.js";
import { plain } from "./format.js";

const NEAR = 14; // pixels from a point at which it is taken hold of
const SHOWN = 60; // rows that are written out as boxes at once

export class RowsPanel {
  constructor({ greeting, plot, use, say, trouble }) {
    Object.assign(this, { greeting, plot, use, say, trouble });
    this.columns = greeting.columns;
    const megabytes = greeting.upload_bytes >> 20;
    byId("file-hint").textContent =
      `Or drop it on the page: CSV, TSV or Parquet up to ${megabytes} MB, or texts whose letters are counted.`;
    byId("use-chapters").onclick = () => {
      this.forgetColumns();
      this.use({ source: "chapters" }, true);
    };
    byId("choose-file").onclick = () => byId("file").click();
    byId("file").onchange = (event) => {
      this.take([...event.target.files]);
      event.target.value = "";
    };
    this.listenForDrops();
    this.listenForPoints();
  }

  // Show the rows that are used now.
  show(rows, source) {
    this.rows = rows;
    this.source = source;
    const columns = `${rows.target} by ${rows.features.join(", ")}`;
    byId("data-name").textContent = `${rows.name || "Own rows"}: ${rows.n.toLocaleString("en-US")} rows, ${columns}.`;
    if (source.source === "file" && this.columns) this.askForColumns(this.columns, source);
    for (const note of rows.notes) this.say(note);
    this.showEditor();
  }

  // --- Files --------------------------------------------------------------------------------

  listenForDrops() {
    const veil = byId("drop");
    const files = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => files(event) && (veil.hidden = false));
    addEventListener("dragover", (event) => files(event) && event.preventDefault());
    addEventListener("dragleave", (event) => event.relatedTarget === null && (veil.hidden = true));
    addEventListener("drop", (event) => {
      veil.hidden = true;
      if (!files(event)) return;
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  async take(files) {
    if (!files.length) return;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > this.greeting.upload_bytes) {
      this.trouble(`${files[0].name}: got ${Math.ceil(size / 2 ** 20)} MB, expected at most ${this.greeting.upload_bytes >> 20} MB; start with it instead: thalweg lab FILE`);
      return;
    }
    try {
      if (files.every((file) => /\.(txt|text|md)$/i.test(file.name) || file.type === "text/plain")) {
        await this.askForLetter(files);
      } else if (files.length > 1) {
        this.trouble("files: got several tables, expected one, or texts; drop them one by one");
      } else await this.upload(files[0]);
    } catch (error) {
      this.trouble(error.message);
    }
  }

  async upload(file) {
    this.say(`Reading ${file.name}…`);
    const reply = await this.post(`/upload/table?name=${encodeURIComponent(file.name)}`, file);
    this.forgetColumns();
    this.file = file;
    const numeric = reply.columns.filter((column) => column.numeric).map((column) => column.name);
    const source = { source: "upload", upload: reply.upload, name: file.name, target: numeric.at(-1), features: numeric.slice(0, -1).slice(0, this.greeting.controls.limits.columns) };
    this.askForColumns(reply.columns, source);
    this.use(source, true);
  }

  // After a reconnection the server has forgotten the file; the page has not.
  async again(source) {
    if (!this.file) throw new Error(`${source.name}: got a file that this page does not have, expected one that was dropped; drop it again`);
    const post = () => this.post(`/upload/table?name=${encodeURIComponent(this.file.name)}`, this.file);
    const reply = await post().catch((error) => {
      if (error instanceof TypeError) return post(); // it went out over a connection of before
      throw error;
    });
    return { ...source, upload: reply.upload };
  }

  async post(address, body) {
    const response = await fetch(address, { method: "POST", body, headers: { "X-Thalweg-Page": this.greeting.page } });
    const reply = await response.json().catch(() => ({ error: "The file could not be sent: it is larger than the lab takes." }));
    if (!response.ok) throw new Error(reply.error);
    return reply;
  }

  askForColumns(columns, source) {
    const box = byId("columns");
    box.hidden = false;
    const numeric = columns.filter((column) => column.numeric);
    const target = element("select", { id: "target" }, ...numeric.map((column) => element("option", { value: column.name }, column.name)));
    target.value = source.target || this.rows?.target || "";
    const chosen = new Set(source.target ? source.features : this.rows?.features ?? []);
    const boxes = numeric.map((column) => {
      const input = element("input", { type: "checkbox", value: column.name, checked: chosen.has(column.name) });
      return element("label", {}, input, element("span", {}, column.name));
    });
    const free = () => boxes.forEach((label) => (label.firstChild.disabled = label.firstChild.value === target.value));
    target.onchange = free;
    free();
    const drop = element("input", { type: "checkbox", id: "drop-missing", checked: Boolean(source.drop_missing) });
    const apply = element("button", { type: "button", id: "apply-columns" }, "Fit these columns");
    apply.onclick = () => {
      const features = boxes.map((label) => label.firstChild).filter((input) => input.checked && !input.disabled).map((input) => input.value);
      if (!features.length) this.trouble("features: got none, expected one at least; tick a column");
      else this.use({ ...this.source, ...source, target: target.value, features, drop_missing: drop.checked }, true);
    };
    const others = columns.length - numeric.length;
    box.replaceChildren(
      element("div", { className: "control" }, element("label", { for: "target" }, "Target"), target),
      element("fieldset", { className: "control" }, element("legend", {}, "Features"), element("div", { className: "ticks" }, ...boxes),
        others ? element("p", { className: "hint" }, `${others} ${others === 1 ? "column that holds" : "columns that hold"} no numbers left out.`) : null),
      element("div", { className: "control flag" }, element("label", {}, drop, element("span", {}, "Leave out rows with missing values"))),
      apply,
    );
  }

  forgetColumns() {
    byId("columns").hidden = true;
    byId("texts").hidden = true;
    this.file = null;
  }

  async askForLetter(files) {
    const texts = await Promise.all(files.map(read));
    this.forgetColumns();
    const box = byId("texts");
    box.hidden = false;
    const letter = element("input", { type: "text", id: "letter", maxLength: 1, value: "a", size: 2 });
    const count = async () => {
      try {
        const body = JSON.stringify({ names: files.map((file) => file.name), texts });
        const counted = await this.post(`/upload/texts?letter=${encodeURIComponent(letter.value)}`, body);
        this.use({ source: "rows", name: files.length === 1 ? files[0].name : `${files.length} texts`, ...pick(counted) }, true);
      } catch (error) {
        this.trouble(error.message);
      }
    };
    letter.onchange = count;
    box.replaceChildren(element("div", { className: "control" }, element("label", { for: "letter" }, `Letter to count in ${files.length} texts`), letter));
    await count();
  }

  // --- The table ----------------------------------------------------------------------------

  get editable() {
    return this.rows.whole && this.rows.features.length <= 8;
  }

  showEditor() {
    const box = byId("rows-editor");
    if (!this.editable) {
      box.replaceChildren(element("p", { className: "hint" }, "These rows are too many to be edited here."));
      return;
    }
    const opened = box.querySelector("details")?.open ?? false;
    const active = document.activeElement?.dataset?.cell;
    const { features, target, X, y } = this.rows;
    const heads = ["row", ...features, target].map((name) => element("th", { scope: "col" }, name));
    heads.push(element("th", { scope: "col" }, element("span", { className: "visually-hidden" }, "remove")));
    const body = X.slice(0, SHOWN).map((row, i) => element("tr", {},
      element("th", { scope: "row" }, String(i + 1)),
      ...[...row, y[i]].map((value, j) => element("td", {}, this.cell(value, i, j))),
      element("td", {}, element("button", { type: "button", className: "small", "aria-label": `Remove row ${i + 1}`, onclick: () => this.remove(i), disabled: X.length < 2 }, "✕"))));
    const add = element("button", { type: "button", id: "add-row" }, "Add a row");
    add.onclick = () => this.add(features.map((_, j) => (this.rows.x_range[0][j] + this.rows.x_range[1][j]) / 2), this.rows.y_range[0] / 2 + this.rows.y_range[1] / 2);
    const details = element("details", { open: opened },
      element("summary", {}, "Edit the rows"),
      element("div", { className: "scroll" }, element("table", {}, element("caption", { className: "visually-hidden" }, "Rows"), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body))),
      X.length > SHOWN ? element("p", { className: "hint" }, `The first ${SHOWN} of ${X.length}.`) : null, add);
    box.replaceChildren(details);
    if (active) box.querySelector(`[data-cell="${active}"]`)?.focus();
  }

  cell(value, i, j) {
    const name = [...this.rows.features, this.rows.target][j];
    const box = element("input", { type: "number", step: "any", value: plain(value, 15), "aria-label": `${name}, row ${i + 1}`, dataset: { cell: `${i}-${j}` } });
    box.onchange = () => {
      if (box.value === "" || !Number.isFinite(Number(box.value))) return;
      const { X, y } = this.copied();
      if (j < X[i].length) X[i][j] = Number(box.value);
      else y[i] = Number(box.value);
      this.give(X, y, true);
    };
    return box;
  }

  copied() {
    return { X: this.rows.X.map((row) => [...row]), y: [...this.rows.y] };
  }

  add(row, value) {
    const { X, y } = this.copied();
    this.give([...X, row], [...y, value], true);
  }

  remove(i) {
    const { X, y } = this.copied();
    if (X.length < 2) return;
    X.splice(i, 1);
    y.splice(i, 1);
    this.give(X, y, true);
  }

  give(X, y, rests) {
    const { features, target, units } = this.rows;
    const name = this.source.source === "rows" ? this.rows.name : `${this.rows.name || "rows"}, edited`;
    Object.assign(this.rows, { X, y });
    this.use({ source: "rows", name, features, target, units, X, y }, rests);
  }

  // --- The scatter --------------------------------------------------------------------------

  get onScatter() {
    return this.editing && this.rows?.one && this.editable;
  }

  edit(on) {
    this.editing = on;
    this.plot.parentElement.classList.toggle("editing", on);
  }

  listenForPoints() {
    const frame = this.plot.parentElement;
    frame.addEventListener("pointerdown", (event) => {
      if (!this.onScatter || event.button !== 0) return;
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      this.held = this.nearest(event);
      if (this.held === null) {
        const { x, y } = this.place(event);
        this.held = this.rows.X.length;
        this.add([x], y);
      } else if (event.shiftKey) {
        this.remove(this.held);
        this.held = null;
      }
    });
    frame.addEventListener("pointermove", (event) => {
      if (this.held === null || this.held === undefined) return;
      const { x, y } = this.place(event);
      const moved = this.copied();
      moved.X[this.held] = [x];
      moved.y[this.held] = y;
      this.give(moved.X, moved.y, false);
    });
    const release = () => {
      if (this.held === null || this.held === undefined) return;
      this.held = null;
      this.give(this.rows.X, this.rows.y, true);
    };
    frame.addEventListener("pointerup", release);
    frame.addEventListener("pointercancel", release);
    frame.addEventListener("contextmenu", (event) => {
      const near = this.onScatter ? this.nearest(event) : null;
      if (near === null) return;
      event.preventDefault();
      this.remove(near);
    });
  }

  // Where the pointer is, in the data's units; pixels of the axes as charts.js laid them out.
  place(event) {
    const { axes, box } = this.scale();
    const [x, y] = [(event.clientX - box.left - MARGINS.data.l) / box.w, (event.clientY - box.top - MARGINS.data.t) / box.h];
    return { x: axes.x[0] + x * (axes.x[1] - axes.x[0]), y: axes.y[1] - y * (axes.y[1] - axes.y[0]) };
  }

  scale() {
    const rect = this.plot.getBoundingClientRect();
    const { l, r, t, b } = MARGINS.data;
    return { axes: this.axes().data, box: { left: rect.left, top: rect.top, w: rect.width - l - r, h: rect.height - t - b } };
  }

  nearest(event) {
    const { axes, box } = this.scale();
    const { x, y } = this.place(event);
    let best = null;
    let least = NEAR;
    this.rows.X.forEach(([value], i) => {
      const dx = ((value - x) / (axes.x[1] - axes.x[0])) * box.w;
      const dy = ((this.rows.y[i] - y) / (axes.y[1] - axes.y[0])) * box.h;
      const away = Math.hypot(dx, dy);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }
}

const pick = ({ X, y, features, target, units }) => ({ X, y, features, target, units });

async function read(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name}: got bytes that are not UTF-8, expected a text in UTF-8; save it again as UTF-8`);
  }
}
