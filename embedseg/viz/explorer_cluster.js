// Mean-shift with a flat or Gaussian kernel over points (N, E): the algorithm of clustering.MeanShift.
//
// A spread sample of the points climbs its own density; one pass over all points finds the nearest
// mode of each and the mean of those within the bandwidth; the points farther than that from every
// mode climb too. Points on a border, whose vector is far from that of a neighbour in the image, do
// not climb. The numbers below are those of clustering/modes.py and clustering/mean_shift.py.
"use strict";

const MEAN_SHIFT = {
  SAMPLES: [[1024, 0.02], [4096, 0.08], [16384, 1.0]], SMALL: 512, SHARE: 16, PLENTY: 512,
  FAR: 4096, TRUST: 4, PROBE: 128, ROOM: 4096, TURNS: 4, ROUNDS: 100, STOP: 0.25, STILL: 1e-6, TRACE: 0.01, AFTER: 2, TRACES: 2048, AWAY: 0.15, PER_MODE: 128, RUN: 4, FIRST: 1024,
};
const TOO_LATE = Symbol("too late");
const GOLDEN = 0.6180339887498949;

// min(count, size) ascending ranks < count, one at an odd place of each stratum.
function spread(count, size) {
  size = Math.min(count, size);
  return Int32Array.from({ length: size }, (_, i) => Math.floor((i + ((i * GOLDEN) % 1)) * (count / size)));
}

// Points (M, E) with weights, sorted along their widest axis, so that a ball is met in a short run.
class Cloud {
  constructor(points, weights, E) {
    const M = weights.length, axis = widestAxis(points, E);
    const order = Int32Array.from({ length: M }, (_, i) => i);
    order.sort((a, b) => points[a * E + axis] - points[b * E + axis] || a - b);
    Object.assign(this, { E, axis, order, points: new Float32Array(points.length) });
    this.weights = Float32Array.from(order, (i) => weights[i]);
    this.keys = Float32Array.from(order, (i) => points[i * E + axis]);
    this.place = new Int32Array(M); // of a point in the sorted order
    this.hits = new Int32Array(M);
    order.forEach((i, k) => {
      this.points.set(points.subarray(i * E, i * E + E), k * E);
      this.place[i] = k;
    });
  }

  // Number of sorted points within sqrt(limit) of `at`; which they are stands in `hits`.
  within(at, limit) {
    const { E, points, keys, hits } = this, radius = Math.sqrt(limit) * 1.000001;
    const end = firstAtLeast(keys, at[this.axis] + radius);
    let size = 0;
    for (let k = firstAtLeast(keys, at[this.axis] - radius); k < end; k++) {
      let sum = 0;
      for (let e = 0, p = k * E; e < E; e++, p++) {
        const d = points[p] - at[e];
        sum += d * d;
        if (sum > limit) break;
      }
      if (sum <= limit) hits[size++] = k;
    }
    return size;
  }
}

function widestAxis(points, E) {
  const sums = new Float64Array(E), squares = new Float64Array(E);
  for (let p = 0; p < points.length; p++) {
    sums[p % E] += points[p];
    squares[p % E] += points[p] ** 2;
  }
  const count = points.length / E || 1;
  const spreads = squares.map((square, e) => square / count - (sums[e] / count) ** 2);
  return spreads.indexOf(Math.max(...spreads));
}

function firstAtLeast(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

class MeanShift {
  // `patience` in milliseconds: fit returns null where it would take longer. `borders`, for points
  // of an image: { step: distance to a neighbour's vector, cells (N,): places, width, pixels }.
  constructor(points, E, bandwidth, { minPoints, patience = Infinity, gaussian = false, borders = null }) {
    Object.assign(this, { points, E, minPoints, gaussian, borders });
    this.deadline = performance.now() + patience;
    this.count = points.length / E;
    this.limit = bandwidth * bandwidth;
    if (borders) {
      this.rankOf = new Int32Array(borders.pixels).fill(-1);
      borders.cells.forEach((cell, rank) => { this.rankOf[cell] = rank; });
    }
  }

  // { labels: Int32Array (N,) of 0..C-1, or -1 without any cluster; centers: (C) vectors }
  fit() {
    if (!this.count) return this.nothing();
    try {
      return this.search();
    } catch (late) {
      if (late !== TOO_LATE) throw late;
      return null;
    }
  }

  search() {
    const some = spread(this.count, MEAN_SHIFT.PROBE), free = some.filter((rank) => !this.steep(rank));
    if (2 * free.length <= some.length) this.borders = null; // noise, no borders
    let { modes, sample } = this.ofSample();
    const all = () => Int32Array.from({ length: this.count }, (_, i) => i);
    if (!modes.length) modes = this.ofFar(all(), sample, []);
    if (!modes.length) return this.nothing();
    modes = this.polish(modes);
    let found = this.assign(modes);
    let away = Math.max(...found.means.map((mean, c) => this.gap(mean, modes[c]))) > MEAN_SHIFT.AWAY ** 2 * this.limit;
    for (let turn = 0; turn < MEAN_SHIFT.TURNS; turn++) {
      const far = found.far;
      const fresh = this.ofFar(far, sample, found.means);
      if (away) found = this.assign([...found.means, ...fresh]);
      else if (fresh.length) found = this.assign([...found.centers, ...fresh]);
      away = false;
      if (!fresh.length || far.length <= MEAN_SHIFT.FAR) break;
    }
    return this.dropSmall(found);
  }

  nothing() {
    return { labels: new Int32Array(this.count).fill(-1), centers: [] };
  }

  gap(a, b) {
    let sum = 0;
    for (let e = 0; e < this.E; e++) sum += (a[e] - b[e]) ** 2;
    return sum;
  }

  // Whether a point lies on a border.
  steep(rank) {
    if (!this.borders) return false;
    const { step, cells, width, pixels } = this.borders, { E, points, rankOf } = this;
    const cell = cells[rank], x = cell % width, own = points.subarray(rank * E, rank * E + E);
    return [x > 0 ? cell - 1 : -1, x < width - 1 ? cell + 1 : -1, cell - width, cell + width].some((next) => {
      const other = next >= 0 && next < pixels ? rankOf[next] : -1;
      return other >= 0 && !(this.gap(own, points.subarray(other * E, other * E + E)) < step * step);
    });
  }

  take(ranks) {
    const { E, points } = this, out = new Float32Array(ranks.length * E);
    ranks.forEach((rank, i) => out.set(points.subarray(rank * E, rank * E + E), i * E));
    return out;
  }

  claim(cloud, at, reach, claimed) {
    const size = cloud.within(at, reach);
    for (let i = 0; i < size; i++) claimed[cloud.hits[i]] = 1;
  }

  // Modes above the first points (M, E), those of `ranks`, heaviest first, away from the `known`.
  // Of those on a border, which are no starts, it tells in `barred`.
  climb(points, weights, ranks, known, floor, barred = new Uint8Array(ranks.length)) {
    const { limit } = this, own = ranks.length, cloud = new Cloud(points, weights, this.E);
    const claimed = new Uint8Array(weights.length);
    const least = Math.max(this.minPoints, MEAN_SHIFT.TRUST * (weights[0] > 1 ? weights[0] : 0));
    const modes = [...known], masses = known.map(() => 0), traces = [];
    for (const mode of known) this.claim(cloud, mode, MEAN_SHIFT.STOP * limit, claimed);
    for (let seed = 0; seed < own; seed++) {
      if (claimed[cloud.place[seed]] || modes.length - known.length >= MEAN_SHIFT.ROOM) continue;
      if (barred[seed] || (barred[seed] = this.steep(ranks[seed]))) continue;
      if (performance.now() > this.deadline) throw TOO_LATE;
      const found = this.ascend(cloud, own, cloud.place[seed], { modes, traces }, floor * least, claimed);
      if (!found) continue;
      modes.push(found.at);
      masses.push(found.mass);
      this.claim(cloud, found.at, MEAN_SHIFT.STOP * limit, claimed);
    }
    const order = modes.map((_, i) => i).slice(known.length).sort((a, b) => masses[b] - masses[a] || a - b);
    const kept = [...known];
    for (const i of order) {
      if (masses[i] >= least && kept.every((other) => this.gap(modes[i], other) > limit)) kept.push(modes[i]);
    }
    return kept.slice(known.length);
  }

  // The mode above one point and its mass; null where the path ends at a mode known already, or
  // where an earlier path went; `traces` remembers where.
  ascend(cloud, own, seed, { modes, traces }, least, claimed) {
    const { E, limit } = this, earlier = traces.length;
    let at = cloud.points.slice(seed * E, seed * E + E), mass = 0;
    this.claim(cloud, at, MEAN_SHIFT.STOP * limit, claimed);
    for (let step = 0; step < MEAN_SHIFT.ROUNDS; step++) {
      const shift = this.shifted(cloud, own, at);
      mass = shift.mass;
      if (step === 0 && mass < least) return null;
      const length = this.gap(at, shift.moved);
      at = shift.moved;
      if (length <= MEAN_SHIFT.STILL * limit) break;
      if (modes.some((mode) => this.gap(at, mode) <= MEAN_SHIFT.STOP * limit)) return null;
      if (step < MEAN_SHIFT.AFTER) continue;
      for (let i = 0; i < earlier; i++) if (this.gap(at, traces[i]) <= MEAN_SHIFT.TRACE * limit) return null;
      if (traces.length < MEAN_SHIFT.TRACES) traces.push(at);
    }
    return { at, mass };
  }

  // Weighted mean of the points within the bandwidth of `at`, and the weight of own ones there.
  shifted(cloud, own, at) {
    const { E, limit } = this, { weights, order, points, hits } = cloud, sum = new Float64Array(E);
    let mass = 0, total = 0;
    const size = cloud.within(at, limit);
    for (let i = 0; i < size; i++) {
      const k = hits[i];
      if (order[k] < own) mass += weights[k];
      const weight = this.gaussian ? weights[k] * Math.exp((-2 * this.gap(points.subarray(k * E, k * E + E), at)) / limit) : weights[k];
      total += weight;
      for (let e = 0, p = k * E; e < E; e++, p++) sum[e] += weight * (points[p] - at[e]);
    }
    const moved = new Float32Array(E);
    for (let e = 0; e < E; e++) moved[e] = total ? at[e] + sum[e] / total : at[e];
    return { moved, mass };
  }

  ofSample() {
    let modes, sample;
    const first = Math.max(MEAN_SHIFT.SMALL, Math.floor(this.count / MEAN_SHIFT.SHARE));
    for (const [index, [most, mess]] of MEAN_SHIFT.SAMPLES.entries()) {
      const size = index ? most : Math.min(most, first), ranks = spread(this.count, size);
      const points = this.take(ranks), M = ranks.length, barred = new Uint8Array(M);
      modes = this.climb(points, new Float32Array(M).fill(this.count / M), ranks, [], 0, barred);
      const near = new Uint8Array(M), cloud = new Cloud(points, new Float32Array(M), this.E);
      for (const mode of modes) this.claim(cloud, mode, this.limit, near);
      const keep = [];
      let lost = 0;
      for (let i = 0; i < M; i++) {
        if (near[cloud.place[i]]) keep.push(i);
        else if (!barred[i] && !this.steep(ranks[i])) lost++;
      }
      sample = new Float32Array(keep.length * this.E);
      keep.forEach((i, k) => sample.set(points.subarray(i * this.E, (i + 1) * this.E), k * this.E));
      const rich = 2 * lost < M && M >= (MEAN_SHIFT.PLENTY * modes.length || this.count);
      if (lost <= mess * M || rich || M === this.count) break;
    }
    return { modes, sample };
  }

  ofFar(far, sample, known) {
    if (far.length < this.minPoints) return [];
    const some = far.length > MEAN_SHIFT.FAR ? spread(far.length, MEAN_SHIFT.FAR).map((rank) => far[rank]) : far;
    const starts = some.filter((rank) => !this.steep(rank)), own = starts.length;
    if (!own) return [];
    const points = new Float32Array(own * this.E + sample.length);
    points.set(this.take(starts));
    points.set(sample, own * this.E);
    const M = sample.length / this.E;
    const weights = new Float32Array(own + M).fill(far.length / some.length);
    weights.fill((this.count - far.length) / Math.max(M, 1), own);
    return this.climb(points, weights, starts, known, 0.5);
  }

  // Modes moved to the means of PER_MODE points each, where there are points enough: the first
  // sample has few for each of many modes.
  polish(modes) {
    const size = MEAN_SHIFT.PER_MODE * modes.length;
    if (size <= MEAN_SHIFT.FIRST || size > Math.floor(this.count / 4)) return modes;
    const { RUN } = MEAN_SHIFT, ranks = [];
    for (const rank of spread(this.count - RUN, Math.floor(size / RUN))) for (let k = 0; k < RUN; k++) ranks.push(rank + k);
    return this.assign(modes, this.take(ranks)).means;
  }

  // The nearest center of every point; means and counts of those within the bandwidth.
  assign(centers, points = this.points) {
    const { E, limit } = this, C = centers.length, count = points.length / E;
    const flat = new Float32Array(C * E);
    centers.forEach((center, c) => flat.set(center, c * E));
    const sure = centers.map((a) => Math.min(...centers.map((b) => (a === b ? Infinity : this.gap(a, b)))) / 4);
    const labels = new Int32Array(count), counts = new Int32Array(C), sums = new Float64Array(C * E);
    const far = [];
    for (let i = 0, guess = 0; i < count; i++) {
      const at = i * E;
      let best = 0;
      for (let e = 0; e < E; e++) best += (points[at + e] - flat[guess * E + e]) ** 2;
      if (best > sure[guess]) {
        best = Infinity;
        for (let c = 0; c < C; c++) {
          let sum = 0;
          for (let e = 0, f = c * E; e < E && sum < best; e++, f++) {
            const d = points[at + e] - flat[f];
            sum += d * d;
          }
          if (sum < best) [best, guess] = [sum, c];
        }
      }
      labels[i] = guess;
      if (best > limit) {
        far.push(i);
      } else {
        counts[guess]++;
        for (let e = 0; e < E; e++) sums[guess * E + e] += points[at + e];
      }
    }
    const means = centers.map((center, c) =>
      counts[c] ? Float32Array.from(center, (_, e) => sums[c * E + e] / counts[c]) : Float32Array.from(center));
    return { labels, means, counts, centers, far: Int32Array.from(far) };
  }

  // Clusters of fewer points than asked within the bandwidth go to the nearest one that is left.
  dropSmall({ labels, means, counts }) {
    const least = Math.min(this.minPoints, Math.max(...counts));
    const kept = means.filter((_, c) => counts[c] >= least);
    if (kept.length === means.length) return { labels, centers: means };
    let next = 0;
    const index = Array.from(counts, (n) => (n >= least ? next++ : -1));
    const nearest = (i) => {
      const point = this.points.subarray(i * this.E, (i + 1) * this.E);
      let best = 0;
      kept.forEach((mean, c) => { if (this.gap(point, mean) < this.gap(point, kept[best])) best = c; });
      return best;
    };
    return { labels: labels.map((c, i) => (index[c] >= 0 ? index[c] : nearest(i))), centers: kept };
  }
}
