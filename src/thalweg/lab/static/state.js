// What the page shows, whole: settings, rows, view, moment, kept runs; and the address that holds it.
// Not here: the results (they follow from it), what is drawn.

const LONGEST = 30_000; // characters of an address that programs still pass on

// The settings that differ from the defaults are in the address; so is nothing else.
export function initial(defaults) {
  return {
    settings: { ...defaults, hyperparameters: {} },
    data: { source: "chapters" },
    view: { along: null, ranges: null },
    epoch: null, // null: the end
    kept: [], // { name, look, settings }
  };
}

export const copy = (value) => structuredClone(value);

// What goes to the server for one run: the settings without what is only a default.
export function asked(settings, defaults) {
  const sent = {};
  for (const [name, value] of Object.entries(settings)) {
    if (name === "hyperparameters") {
      if (Object.keys(value).length) sent[name] = value;
    } else if (JSON.stringify(value) !== JSON.stringify(defaults[name])) sent[name] = value;
  }
  return sent;
}

// The address's fragment. `fits` tells whether the rows are in it; `rows` are those that the page
// has whole, which may come from a file.
export async function write(state, defaults, rows) {
  const parts = new URLSearchParams();
  const settings = asked(state.settings, defaults);
  for (const [name, value] of Object.entries(settings)) parts.set(name, JSON.stringify(value));
  if (state.view.along) parts.set("along", JSON.stringify(state.view.along));
  if (state.view.ranges) parts.set("ranges", JSON.stringify(state.view.ranges));
  if (state.epoch !== null) parts.set("epoch", String(state.epoch));
  if (state.kept.length) {
    const kept = state.kept.map((run) => ({ ...run, settings: asked(run.settings, defaults) }));
    parts.set("kept", JSON.stringify(kept));
  }
  let fits = true;
  if (state.data.source === "file") parts.set("data", JSON.stringify(state.data));
  else if (state.data.source !== "chapters") {
    const packed = rows ? await pack(rows) : "";
    fits = Boolean(rows) && packed.length + String(parts).length <= LONGEST;
    parts.set(fits ? "rows" : "elsewhere", fits ? packed : state.data.name || "own rows");
  }
  return { fragment: String(parts), fits };
}

// Read an address's fragment; what it does not say, or says wrongly, stays at its default.
export async function read(fragment, defaults) {
  const parts = new URLSearchParams(fragment);
  const state = initial(defaults);
  for (const [name, text] of parts) {
    try {
      if (name in state.settings) state.settings[name] = JSON.parse(text);
      else if (name === "along" || name === "ranges") state.view[name] = JSON.parse(text);
      else if (name === "epoch") state.epoch = Math.max(0, Math.trunc(Number(text))) || 0;
      else if (name === "kept") {
        state.kept = JSON.parse(text).map((run) => ({
          name: String(run.name ?? "kept run"),
          look: Math.trunc(run.look) || 1,
          settings: { ...defaults, hyperparameters: {}, ...run.settings },
        }));
      } else if (name === "rows") state.data = { ...(await unpack(text)), source: "rows" };
      else if (name === "data") state.data = { ...JSON.parse(text), source: "file" };
      else if (name === "elsewhere") state.missing = text;
    } catch {
      state.damaged = name;
    }
  }
  return state;
}

async function pack(value) {
  const stream = new Blob([JSON.stringify(value)]).stream();
  const deflated = stream.pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(deflated).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpack(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(plain, (c) => c.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(inflated).text());
}
