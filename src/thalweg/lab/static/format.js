// Numbers as they are read: grouped thousands, a true minus, powers of ten in superscript.

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

export function number(value, digits = 5) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e-4 && size < 1e7) {
    const rounded = Number(value.toPrecision(digits));
    return rounded.toLocaleString("en-US", { maximumSignificantDigits: digits }).replace("-", "−");
  }
  const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 2)).split("e");
  const power = [...String(Number(exponent))].map((c) => SUPERSCRIPT[c]).join("");
  return `${mantissa} × 10${power}`.replace("-", "−");
}

// As a number box takes it.
export function plain(value, digits = 6) {
  return String(Number(Number(value).toPrecision(digits)));
}

export function percent(share) {
  if (!Number.isFinite(share)) return "far";
  if (share > 10) return `${number(share + 1, 3)} times`;
  return `${number(100 * share, 3)} %`;
}
