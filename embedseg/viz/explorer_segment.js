// From an embedding to instances, in the steps of embedseg.inference.segment: some pixels may found
// clusters, the others join the nearest mean; pieces are treated; what is too small is dropped.
"use strict";

// { clusters: Int32Array (N,) per foreground cell, -1 for none; count }, or null when out of time.
function segmentCells(data, bandwidth, patience) {
  const { points, founders, info } = data, E = info.scale.length;
  const own = founders ? takePoints(points, founders, E) : points;
  const found = new MeanShift(own, E, bandwidth, info.min_points, patience).fit();
  if (!found) return null;
  let clusters = found.labels, count = found.centers.length;
  if (founders && count) clusters = joinNearest(points, founders, found.labels, count, E);
  else if (founders) clusters = new Int32Array(points.length / E).fill(-1);
  if (info.components !== "all") ({ clusters, count } = inPieces(clusters, data));
  return withoutSmall(clusters, count, info.min_size);
}

function takePoints(points, ranks, E) {
  const out = new Float32Array(ranks.length * E);
  ranks.forEach((rank, i) => out.set(points.subarray(rank * E, rank * E + E), i * E));
  return out;
}

// Founders keep their cluster; every other point takes that of the nearest mean of founders.
function joinNearest(points, founders, labels, count, E) {
  const means = new Float64Array(count * E), sizes = new Int32Array(count);
  const clusters = new Int32Array(points.length / E).fill(-1);
  founders.forEach((rank, i) => {
    const c = (clusters[rank] = labels[i]);
    sizes[c]++;
    for (let e = 0; e < E; e++) means[c * E + e] += points[rank * E + e];
  });
  for (let c = 0; c < count; c++) for (let e = 0; e < E; e++) means[c * E + e] /= sizes[c] || 1;
  for (let k = 0; k < clusters.length; k++) {
    if (clusters[k] >= 0) continue;
    let best = Infinity;
    for (let c = 0; c < count; c++) {
      let sum = 0;
      for (let e = 0, p = k * E, m = c * E; e < E && sum < best; e++, p++, m++) sum += (points[p] - means[m]) ** 2;
      if (sum < best) [best, clusters[k]] = [sum, c];
    }
  }
  return clusters;
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
