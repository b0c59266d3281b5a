// Mean-shift with a flat kernel over points (N, E): the algorithm of clustering.MeanShift.
//
// A spread sample of the points climbs its own density; one pass over all points finds the nearest
// mode of each and the mean of those within the bandwidth; the points farther than that from every
// mode climb too. The numbers below are those of clustering/modes.py and clustering/mean_shift.py.
"use strict";

const SAMPLES = [1024, 4096], MESS = 0.02, FAR = 8192, TRUST = 4, ROUNDS = 100, TURNS = 8;
const TOO_LATE = Symbol("too late");
const STILL = 1e-3, STOP = 0.25, AWAY = 0.1, GOLDEN = 0.6180339887498949;

// min(count, size) ascending ranks < count, one at an odd place of each stratum.
function spread(count, size) {
  size = Math.min(count, size);
  return Int32Array.from({ length: size }, (_, i) => Math.floor((i + ((i * GOLDEN) % 1)) * (count / size)));
}

class MeanShift {
  // `patience` in milliseconds: fit returns null where it would take longer.
  constructor(points, E, bandwidth, minPoints, patience = Infinity) {
    Object.assign(this, { points, E, minPoints });
    this.deadline = performance.now() + patience;
    this.count = points.length / E;
    this.limit = bandwidth * bandwidth;
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
    let { modes, sample } = this.ofSample();
    const all = () => Int32Array.from({ length: this.count }, (_, i) => i);
    if (!modes.length) modes = this.ofFar(all(), sample, []);
    if (!modes.length) return this.nothing();
    let found = this.assign(modes);
    let away = Math.max(...found.means.map((mean, c) => this.gap(mean, modes[c]))) > AWAY ** 2 * this.limit;
    for (let turn = 0; turn < TURNS; turn++) {
      const far = found.far;
      const fresh = this.ofFar(far, sample, found.means);
      if (fresh.length || away) found = this.assign([...found.means, ...fresh]);
      away = false;
      if (!fresh.length || far.length <= FAR) break;
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

  take(ranks) {
    const { E, points } = this, out = new Float32Array(ranks.length * E);
    ranks.forEach((rank, i) => out.set(points.subarray(rank * E, rank * E + E), i * E));
    return out;
  }

  // Squared distances of all points (M, E) to a vector.
  distances(points, at, out) {
    const E = this.E;
    for (let i = 0, p = 0; p < points.length; i++) {
      let sum = 0;
      for (let e = 0; e < E; e++, p++) {
        const d = points[p] - at[e];
        sum += d * d;
      }
      out[i] = sum;
    }
  }

  claim(points, at, reach, squared, claimed) {
    this.distances(points, at, squared);
    for (let i = 0; i < claimed.length; i++) if (squared[i] <= reach) claimed[i] = 1;
  }

  // Modes above the first `own` of the points (M, E), heaviest first, away from the `known`.
  climb(points, weights, own, known, floor) {
    const { E, limit } = this, M = weights.length;
    const squared = new Float32Array(M), claimed = new Uint8Array(M);
    const modes = [...known], masses = known.map(() => 0);
    for (const mode of known) this.claim(points, mode, STOP * limit, squared, claimed);
    for (let seed = 0; seed < own; seed++) {
      if (claimed[seed] || modes.length - known.length >= 1024) continue;
      if (performance.now() > this.deadline) throw TOO_LATE;
      let at = points.slice(seed * E, seed * E + E);
      this.claim(points, at, STOP * limit, squared, claimed);
      let arrived = false, mass = 0;
      for (let step = 0; step < ROUNDS; step++) {
        const shift = this.shifted(points, weights, own, at, squared);
        mass = shift.mass;
        if (step === 0 && mass < floor) { arrived = true; break; }
        const length = this.gap(at, shift.moved);
        at = shift.moved;
        arrived = modes.some((mode) => this.gap(at, mode) <= STOP * limit);
        if (arrived || length <= STILL * STILL * limit) break;
      }
      if (arrived) continue;
      modes.push(at);
      masses.push(mass);
      this.claim(points, at, STOP * limit, squared, claimed);
    }
    const least = Math.max(this.minPoints, TRUST * (weights[0] > 1 ? weights[0] : 0));
    const order = modes.map((_, i) => i).slice(known.length).sort((a, b) => masses[b] - masses[a] || a - b);
    const kept = [...known];
    for (const i of order) {
      if (masses[i] >= least && kept.every((other) => this.gap(modes[i], other) > limit)) kept.push(modes[i]);
    }
    return kept.slice(known.length);
  }

  // Weighted mean of the points within the bandwidth of `at`, and the weight of own ones there.
  shifted(points, weights, own, at, squared) {
    const { E, limit } = this, sum = new Float64Array(E);
    this.distances(points, at, squared);
    let mass = 0, total = 0;
    for (let i = 0; i < weights.length; i++) {
      if (squared[i] > limit) continue;
      if (i < own) mass += weights[i];
      total += weights[i];
      for (let e = 0; e < E; e++) sum[e] += weights[i] * (points[i * E + e] - at[e]);
    }
    const moved = new Float32Array(E);
    for (let e = 0; e < E; e++) moved[e] = total ? at[e] + sum[e] / total : at[e];
    return { moved, mass };
  }

  ofSample() {
    let modes, sample;
    for (const size of SAMPLES) {
      const points = this.take(spread(this.count, size)), M = points.length / this.E;
      modes = this.climb(points, new Float32Array(M).fill(this.count / M), M, [], 0);
      const near = new Uint8Array(M), squared = new Float32Array(M);
      for (const mode of modes) this.claim(points, mode, this.limit, squared, near);
      const keep = [];
      near.forEach((flag, i) => flag && keep.push(i));
      sample = new Float32Array(keep.length * this.E);
      keep.forEach((i, k) => sample.set(points.subarray(i * this.E, (i + 1) * this.E), k * this.E));
      if (keep.length >= (1 - MESS) * M || M < size) break;
    }
    return { modes, sample };
  }

  ofFar(far, sample, known) {
    if (far.length < this.minPoints) return [];
    const some = far.length > FAR ? spread(far.length, FAR).map((rank) => far[rank]) : far;
    const points = new Float32Array(some.length * this.E + sample.length);
    points.set(this.take(some));
    points.set(sample, some.length * this.E);
    const M = sample.length / this.E;
    const weights = new Float32Array(some.length + M).fill(far.length / some.length);
    weights.fill((this.count - far.length) / Math.max(M, 1), some.length);
    return this.climb(points, weights, some.length, known, this.minPoints / 2);
  }

  // The nearest center of every point; means and counts of those within the bandwidth.
  assign(centers) {
    const { E, count, points, limit } = this, C = centers.length;
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
    return { labels, means, counts, far: Int32Array.from(far) };
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
