// What the charts draw: runs as the server gave them, held at one moment.
// Not here: drawing, asking.

// One run: a frame's entry with its name, its look and the plane's ranges it was sent for.
export class Result {
  constructor(frame, ranges, { name, look, settings, current }) {
    Object.assign(this, frame, { ranges, name, look, settings, current });
    this.size = frame.at.length;
    this.width = frame.standardized.length / this.size; // parameters
  }

  // The last point recorded up to an epoch; null is the end.
  indexAt(epoch) {
    if (epoch === null || epoch >= this.at[this.size - 1]) return this.size - 1;
    let low = 0;
    let high = this.size - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.at[middle] <= epoch) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Coordinates on the plane at a point.
  across(i) {
    const [low, high] = this.ranges[0];
    return low + this.flat[2 * i] * (high - low);
  }

  up(i) {
    const [low, high] = this.ranges[1];
    return low + this.flat[2 * i + 1] * (high - low);
  }

  // The prediction for a row of standardised features at a point of the path.
  predict(i, z) {
    const at = i * this.width;
    let sum = this.standardized[at];
    for (let j = 1; j < this.width; j += 1) sum += this.standardized[at + j] * z[j - 1];
    return sum;
  }

  // The number of the last loss up to an epoch; of batches the first is that of epoch 1.
  lossAt(epoch) {
    const last = this.loss_at.length - 1;
    if (last < 0) return null;
    if (epoch === null) return last;
    let i = last;
    while (i > 0 && this.loss_at[i] > epoch) i -= 1;
    return i;
  }
}

// The rows that are drawn, with their features standardised once.
export class Rows {
  constructor(described) {
    Object.assign(this, described);
    this.one = described.features.length === 1;
    this.Z = described.X.map((row) => this.standardize(row));
  }

  standardize(row) {
    return row.map((x, j) => (x - this.means[j]) / this.scales[j]);
  }

  // Predictions of the exact solution.
  exactly(z) {
    const w = this.exact.standardized;
    return z.reduce((sum, value, j) => sum + w[j + 1] * value, w[0]);
  }

  // Where the line begins and ends: the data with a margin.
  ends() {
    const low = this.x_range[0][0];
    const high = this.x_range[1][0];
    const margin = 0.04 * (high - low || Math.abs(high) || 1);
    return [low - margin, high + margin];
  }
}

// Ranges of the axes for some runs: chosen when the hand rests, kept while it moves.
export function axes(rows, results, plane) {
  return { data: dataAxes(rows), loss: lossAxes(rows, results), map: { x: plane.ranges[0], y: plane.ranges[1] } };
}

function dataAxes(rows) {
  const [low, high] = rows.y_range;
  const margin = 0.1 * (high - low || Math.abs(high) || 1);
  const y = [low - margin, high + margin];
  return rows.one ? { x: rows.ends(), y } : { x: y, y };
}

function lossAxes(rows, results) {
  let low = Infinity;
  let high = -Infinity;
  let last = 1;
  for (const result of results) {
    for (const value of result.losses) {
      if (!(value > 0) || !Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    last = Math.max(last, result.epochs_walked);
  }
  if (results.every((result) => result.settings.loss === "mse") && rows.exact.loss > 0) {
    low = Math.min(low, rows.exact.loss);
    high = Math.max(high, rows.exact.loss);
  }
  if (low > high) [low, high] = [0.1, 10];
  const [a, b] = [Math.log10(low), Math.log10(high)];
  const margin = 0.06 * (b - a) + 0.02;
  return { x: [-0.035 * last, last * 1.035], y: [a - margin, b + margin] };
}
