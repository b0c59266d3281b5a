// From an embedding to instances, in the steps of embedseg.inference.segment: in each class some
// pixels may found clusters, of which near ones are merged; the others join the nearest mean; pieces
// are treated; what is too small is dropped.
"use strict";

// { clusters: Int32Array (N,) per foreground cell, -1 for none; count }, or null when out of time.
function segmentCells(data, bandwidth, patience) {
  const { points, groups, info } = data, E = info.scale.length, deadline = performance.now() + patience;
  let clusters = new Int32Array(points.length / E).fill(-1), count = 0;
  for (const group of groups) {
    const found = segmentClass(group, data, bandwidth, deadline - performance.now());
    if (!found) return null;
    group.ranks.forEach((rank, i) => { clusters[rank] = found.clusters[i] < 0 ? -1 : count + found.clusters[i]; });
    count += found.count;
  }
  if (info.components !== "all") ({ clusters, count } = inPieces(clusters, data));
  return withoutSmall(clusters, count, info.min_size);
}

// The foreground cells of each class, which are clustered by themselves:
// [{ ranks, points (n, E), founders: places in `ranks` of those that may found clusters, or null }].
function classGroups({ info, points, founders, classes }) {
  const E = info.scale.length, ranks = Int32Array.from({ length: points.length / E }, (_, i) => i);
  if (!classes) return [{ ranks, points, founders }];
  const founds = founders && new Uint8Array(ranks.length);
  if (founders) for (const rank of founders) founds[rank] = 1;
  return [...new Set(classes)].sort((a, b) => a - b).map((number) => {
    const own = ranks.filter((rank) => classes[rank] === number);
    const first = founders && Int32Array.from(own.keys()).filter((i) => founds[own[i]]);
    return { ranks: own, points: takePoints(points, own, E), founders: first };
  });
}

// The same for the cells of one class.
function segmentClass(group, data, bandwidth, patience) {
  const { points } = group, { info } = data, E = info.scale.length;
  const { first, own, found } = clusterFounders(group, data, bandwidth, patience);
  if (!found) return null;
  const clusters = new Int32Array(points.length / E).fill(-1);
  if (!found.centers.length) { // too few founders: then all of the class
    const all = { ...group, founders: null };
    return own.length < points.length ? segmentClass(all, data, bandwidth, patience) : { clusters, count: 0 };
  }
  const means = meansOf(own, found.labels, found.centers.length, E);
  const numbers = mergeMeans(means, info.merge);
  first.forEach((rank, i) => { clusters[rank] = numbers[found.labels[i]]; });
  joinNearest(points, clusters, means, E);
  return { clusters, count: means.length };
}

// Clusters of those cells of a class that may found one: places in `ranks`, points, the result.
function clusterFounders({ ranks, points, founders }, { info, inside, pixels }, bandwidth, patience) {
  const E = info.scale.length, first = founders || Int32Array.from(ranks.keys());
  const own = founders ? takePoints(points, founders, E) : points;
  const cells = first.map((i) => inside[ranks[i]]);
  const borders = info.border_step > 0 ? { step: info.border_step * bandwidth, cells, width: info.grid[1], pixels } : null;
  const options = { minPoints: leastPoints(info, first.length), patience, gaussian: info.gaussian, borders };
  return { first, own, found: new MeanShift(own, E, bandwidth, options).fit() };
}

// Points without which a mode is no cluster: as asked, or the rule of clustering.MeanShift.
function leastPoints({ min_points }, count) {
  return min_points ?? Math.min(Math.max(Math.floor(count / 400), 10), 30);
}

function takePoints(points, ranks, E) {
  const out = new Float32Array(ranks.length * E);
  ranks.forEach((rank, i) => out.set(points.subarray(rank * E, rank * E + E), i * E));
  return out;
}

// The mean of each cluster and how many points it has.
function meansOf(points, labels, count, E) {
  const means = Array.from({ length: count }, () => ({ at: new Float64Array(E), size: 0 }));
  labels.forEach((c, i) => {
    means[c].size++;
    for (let e = 0; e < E; e++) means[c].at[e] += points[i * E + e];
  });
  for (const { at, size } of means) for (let e = 0; e < E; e++) at[e] /= size || 1;
  return means;
}

// Merge means nearer than `distance`, the nearest pair first, until there is none; `means` is left
// with those that remain. Returns the new number of each: clustering.merge_centres.
function mergeMeans(means, distance) {
  const owner = means.map((_, c) => c), alive = means.map(() => true);
  const gap = (a, b) => Math.hypot(...means[a].at.map((x, e) => x - means[b].at[e]));
  const gaps = distance > 0 ? means.map((_, a) => means.map((_, b) => (b > a ? gap(a, b) : Infinity))) : [];
  for (;;) {
    let best = distance, pair = null;
    gaps.forEach((row, a) => row.forEach((d, b) => { if (d < best) [best, pair] = [d, [a, b]]; }));
    if (!pair) break;
    const [keep, drop] = pair, total = means[keep].size + means[drop].size || 1, share = means[drop].size / total;
    means[keep].at.forEach((x, e, at) => { at[e] = x + (means[drop].at[e] - x) * share; });
    means[keep].size = total;
    alive[drop] = false;
    owner.forEach((own, c) => { if (own === drop) owner[c] = keep; });
    gaps.forEach((row, c) => {
      row[drop] = Infinity;
      if (c === drop) row.fill(Infinity);
      else if (c < keep) row[keep] = alive[c] ? gap(c, keep) : Infinity;
      else if (c > keep) gaps[keep][c] = alive[c] ? gap(keep, c) : Infinity;
    });
  }
  const kept = owner.map((_, c) => c).filter((c) => alive[c]);
  means.splice(0, means.length, ...kept.map((c) => means[c]));
  return owner.map((own) => kept.indexOf(own));
}

// Every point without a cluster takes that of the nearest mean.
function joinNearest(points, clusters, means, E) {
  for (let k = 0; k < clusters.length; k++) {
    if (clusters[k] >= 0) continue;
    let best = Infinity;
    for (let c = 0; c < means.length; c++) {
      const { at } = means[c];
      let sum = 0;
      for (let e = 0, p = k * E; e < E && sum < best; e++, p++) sum += (points[p] - at[e]) ** 2;
      if (sum < best) [best, clusters[k]] = [sum, c];
    }
  }
}

// "split": each connected piece is a cluster of its own; "largest": the other pieces are in none.
function inPieces(clusters, { inside, pixels, info }) {
  const [h, w] = info.grid, grid = new Int32Array(pixels).fill(-1), piece = new Int32Array(pixels).fill(-1);
  inside.forEach((cell, k) => { grid[cell] = clusters[k]; });
  const sizes = [], owner = [];
  for (const start of inside) {
    if (grid[start] < 0 || piece[start] >= 0) continue;
    const stack = [start], own = grid[start], number = sizes.length;
    piece[start] = number;
    let size = 0;
    while (stack.length) {
      const cell = stack.pop(), x = cell % w;
      size++;
      for (let dy = -w; dy <= w; dy += w) {
        for (let dx = x ? -1 : 0; dx <= (x < w - 1 ? 1 : 0); dx++) {
          const next = cell + dy + dx;
          if (next < 0 || next >= h * w || grid[next] !== own || piece[next] >= 0) continue;
          piece[next] = number;
          stack.push(next);
        }
      }
    }
    sizes.push(size);
    owner.push(own);
  }
  if (info.components === "split") return { clusters: Int32Array.from(inside, (cell) => piece[cell]), count: sizes.length };
  const largest = new Map();
  owner.forEach((own, number) => { if (!(sizes[number] <= sizes[largest.get(own)])) largest.set(own, number); });
  const kept = Int32Array.from(inside, (cell) => (piece[cell] >= 0 && largest.get(grid[cell]) === piece[cell] ? grid[cell] : -1));
  return { clusters: kept, count: Math.max(-1, ...owner) + 1 };
}

// Clusters of fewer than `least` cells are none; the others are numbered anew.
function withoutSmall(clusters, count, least) {
  const sizes = new Int32Array(count);
  for (const c of clusters) if (c >= 0) sizes[c]++;
  let next = 0;
  const number = Array.from(sizes, (size) => (size > 0 && size >= least ? next++ : -1));
  return { clusters: clusters.map((c) => (c >= 0 ? number[c] : -1)), count: next };
}

// Labels of the grid (0: none) spread to every cell: each takes that of a nearest labelled cell.
function spreadLabels(grid, [h, w]) {
  const labels = grid.slice(), queue = new Int32Array(labels.length);
  let end = 0;
  labels.forEach((id, cell) => { if (id > 0) queue[end++] = cell; });
  for (let at = 0; at < end; at++) {
    const cell = queue[at], x = cell % w;
    for (const next of [x > 0 ? cell - 1 : -1, x < w - 1 ? cell + 1 : -1, cell - w, cell + w]) {
      if (next < 0 || next >= h * w || labels[next] > 0) continue;
      labels[next] = labels[cell];
      queue[end++] = next;
    }
  }
  return labels;
}
