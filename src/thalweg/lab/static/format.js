// Numbers as they are read: grouped thousands, a true minus, powers of ten in superscript.

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

// To make a formatter costs a hundred times what using it does.
const FORMATS = new Map();

function grouped(digits) {
  if (!FORMATS.has(digits)) FORMATS.set(digits, new Intl.NumberFormat("en-US", { maximumSignificantDigits: digits }));
  return FORMATS.get(digits);
}

export function number(value, digits = 5) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e-4 && size < 1e7) {
    return grouped(digits).format(Number(value.toPrecision(digits))).replace("-", "−");
  }
  const [mantissa, exponent] = value.toExponential(Math.max(0, digits - 2)).split("e");
  const power = [...String(Number(exponent))].map((c) => SUPERSCRIPT[c]).join("");
  return `${mantissa} × 10${power}`.replace("-", "−");
}

// Decimal logarithms as the numbers that they stand for, all written one way: 100, 1,000, or 10⁵,
// 2×10⁵ where some are long.
export function powers(exponents) {
  const short = exponents.every((k) => k > -3.5 && k < 4.9);
  return exponents.map((k) => (short ? number(10 ** k, 3) : power(k)));
}

function power(exponent) {
  const whole = Math.floor(exponent + 1e-9);
  const ten = `10${[...String(whole)].map((c) => SUPERSCRIPT[c]).join("")}`;
  const mantissa = number(10 ** (exponent - whole), 2);
  return mantissa === "1" ? ten : `${mantissa}×${ten}`;
}

// Ticks of a logarithmic axis from 10^low to 10^high: whole decades, or 1, 2, 5 of each.
export function logTicks(low, high) {
  const first = Math.ceil(low);
  let ticks = [];
  const every = Math.max(1, Math.ceil((high - low) / 7));
  for (let k = first; k <= high; k += every) ticks.push(k);
  if (ticks.length < 3) {
    ticks = [];
    for (let k = Math.floor(low); k <= high; k += 1) {
      for (const m of [1, 2, 5]) ticks.push(k + Math.log10(m));
    }
    ticks = ticks.filter((at) => at >= low && at <= high);
  }
  if (ticks.length < 2) ticks = [0.1, 0.5, 0.9].map((share) => low + share * (high - low));
  return ticks;
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
