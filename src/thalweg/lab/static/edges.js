// A path over the surface, cut off at the surface's edges: where a descent leaves it, the line ends
// on the edge, and goes on where it comes back.
// Not here: drawing.

// The coordinates of a path up to a point: within the edges at its true height, with a gap (null)
// wherever it is outside.
export function cutOff(result, plane, last) {
  const line = { x: [], y: [], z: [] };
  const add = (u, v, height) => {
    const [across, up] = result.ranges;
    line.x.push(across[0] + u * (across[1] - across[0]));
    line.y.push(up[0] + v * (up[1] - up[0]));
    line.z.push(height);
  };
  const gap = () => Object.values(line).forEach((axis) => axis.push(null));
  let before = null;
  for (let i = 0; i <= last; i += 1) {
    const here = [result.flat[2 * i], result.flat[2 * i + 1]];
    const part = before && within(before, here);
    if (part) {
      const edges = part.map((t) => [0, 1].map((k) => Math.min(1, Math.max(0, before[k] + t * (here[k] - before[k])))));
      if (part[0] > 0) add(...edges[0], heightOf(plane, edges[0]));
      if (part[1] < 1) {
        add(...edges[1], heightOf(plane, edges[1]));
        gap();
      }
    }
    if (inside(here)) add(...here, result.height[i]);
    before = here;
  }
  return line;
}

// Where a path has come to, or nowhere.
export function headOf(result, last) {
  const here = [result.flat[2 * last], result.flat[2 * last + 1]];
  return inside(here) ? [result.across(last), result.up(last), result.height[last]] : [null, null, null];
}

const inside = (point) => point.every((share) => share >= 0 && share <= 1);

// The part of a straight step that is inside: from and to which share of it, or null.
function within(from, to) {
  let [enter, leave] = [0, 1];
  for (const k of [0, 1]) {
    const step = to[k] - from[k];
    if (!Number.isFinite(step)) return null;
    if (step === 0 && (from[k] < 0 || from[k] > 1)) return null;
    if (step === 0) continue;
    const crossings = [-from[k] / step, (1 - from[k]) / step];
    enter = Math.max(enter, Math.min(...crossings));
    leave = Math.min(leave, Math.max(...crossings));
  }
  return enter < leave ? [enter, leave] : null;
}

// The surface's height between its grid's points.
function heightOf({ grid, points }, [u, v]) {
  const [i, j] = [u, v].map((share) => Math.min(points - 2, Math.floor(share * (points - 1))));
  const [s, t] = [u * (points - 1) - i, v * (points - 1) - j];
  const at = (a, b) => grid[(j + b) * points + i + a];
  return (1 - t) * ((1 - s) * at(0, 0) + s * at(1, 0)) + t * ((1 - s) * at(0, 1) + s * at(1, 1));
}
