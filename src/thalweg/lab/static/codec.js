// Binary frames: "THW", version, header length, JSON header, float32 body. See messages.py.

const VERSION = 1;

// Give the header, with a Float32Array wherever it says { at, length }.
export function decode(buffer) {
  const bytes = new Uint8Array(buffer, 0, 8);
  const name = String.fromCharCode(...bytes.subarray(0, 3));
  if (name !== "THW" || bytes[3] !== VERSION) {
    throw new Error("The lab was updated: reload the page.");
  }
  const length = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  return resolve(header, buffer, 8 + length);
}

function resolve(value, buffer, body) {
  if (value === null || typeof value !== "object") return value;
  if (!Array.isArray(value) && "at" in value && "length" in value && Object.keys(value).length === 2) {
    return new Float32Array(buffer, body + 4 * value.at, value.length);
  }
  for (const key of Object.keys(value)) value[key] = resolve(value[key], buffer, body);
  return value;
}
