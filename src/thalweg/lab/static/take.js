// Taking a run along: its address, files, pictures, Python.
// Not here: what is in the files.

import { byId, element } from "./dom.js";

const FILES = [
  ["report", "Report (HTML)", "descent.html"],
  ["run", "Run file (Parquet)", "descent.parquet"],
  ["pytorch", "PyTorch script", "descent.py"],
];

export class Take {
  constructor({ picture, request, say, trouble, address }) {
    Object.assign(this, { picture, request, say, trouble, address });
    const copy = element("button", { type: "button", id: "copy-link" }, "Copy the link");
    copy.onclick = () => this.copy(location.href, "The link is copied.");
    this.python = element("pre", { id: "python", tabIndex: 0, role: "region", "aria-label": "The current run as Python" });
    const copyPython = element("button", { type: "button", id: "copy-python" }, "Copy as Python");
    copyPython.onclick = () => this.copy(this.python.textContent, "The Python is copied.");
    this.note = element("p", { className: "hint" });
    const files = FILES.map(([kind, label, name]) =>
      element("button", { type: "button", id: `take-${kind}`, onclick: () => this.file(kind, name) }, label));
    byId("take").replaceChildren(
      element("div", { className: "buttons" }, copy, ...files), this.note, this.python,
      element("div", { className: "buttons" }, copyPython));
  }

  show(python, fits) {
    this.python.textContent = python;
    this.note.textContent = fits
      ? "The link holds all of it: settings, rows, kept runs."
      : "The link holds the settings and the kept runs; the rows are too many for it, or a file of yours: whoever opens it drops the same file on the page.";
  }

  async copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(said);
    } catch {
      this.trouble("clipboard: got no permission to write, expected one; select the text and copy it");
    }
  }

  async file(kind, name) {
    this.say("Preparing the file…");
    const { body, headers } = this.request();
    try {
      const response = await fetch(`/download/${kind}`, { method: "POST", body, headers });
      if (!response.ok) throw new Error((await response.json()).error);
      save(URL.createObjectURL(await response.blob()), name);
      this.say(`${name} is ready.`);
    } catch (error) {
      this.trouble(error.message);
    }
  }

  async png(chart) {
    save(await this.picture(chart), `${chart}.png`);
    this.say(`${chart}.png is ready.`);
  }
}

function save(address, name) {
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (address.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
