// Operations on label images, all returning new arrays or tables.
"use strict";

function maximum(labels) {
  let top = 0;
  for (const id of labels) if (id > top) top = id;
  return top;
}

// Labels at the cells of the embedding's grid: each cell takes the label most of its pixels have
// among those at its middle, that is the label of its central shown pixel.
function toGrid(labels, { grid: [h, w], shown: [H, W] }) {
  const grid = new Int32Array(h * w);
  for (let y = 0, i = 0; y < h; y++) {
    const row = Math.min(H - 1, Math.floor(((y + 0.5) * H) / h)) * W;
    for (let x = 0; x < w; x++, i++) grid[i] = labels[row + Math.min(W - 1, Math.floor(((x + 0.5) * W) / w))];
  }
  return grid;
}

// Cluster numbers of foreground cells -> ids on shown pixels inside `fine` (bytes, >= threshold).
// A fine foreground pixel whose cell has no instance takes that of a nearest cell which has one.
function toShown(clusters, ids, { inside, cells, info, foreground, pixels }) {
  const grid = new Int32Array(pixels);
  for (let k = 0; k < inside.length; k++) grid[inside[k]] = clusters[k] >= 0 ? ids[clusters[k]] : 0;
  const full = spreadLabels(grid, info.grid), labels = new Int32Array(cells.length);
  for (let i = 0; i < labels.length; i++) if (foreground[i] >= info.threshold) labels[i] = full[cells[i]];
  return labels;
}

// Table of overlaps of two label images: Map from a * 2^24 + b to pixels, and both areas.
function overlaps(a, b) {
  const both = new Map(), areaA = new Map(), areaB = new Map();
  const add = (map, key, n) => map.set(key, (map.get(key) || 0) + n);
  for (let i = 0, run = 0; i < a.length; i++) {
    run++;
    if (i + 1 < a.length && a[i + 1] === a[i] && b[i + 1] === b[i]) continue;
    if (a[i] >= 0 && b[i] >= 0) {
      add(areaA, a[i], run);
      add(areaB, b[i], run);
      add(both, a[i] * 16777216 + b[i], run);
    }
    run = 0;
  }
  return { both, areaA, areaB };
}

// Symmetric best Dice (CVPPP): min of both directions of the mean best Dice; and per-id best of a.
function symmetricBestDice(prediction, truth) {
  const { both, areaA, areaB } = overlaps(prediction, truth);
  const bestA = new Map(), bestB = new Map();
  for (const [key, pixels] of both) {
    const [a, b] = [Math.floor(key / 16777216), key % 16777216];
    if (!a || !b) continue;
    const dice = (2 * pixels) / (areaA.get(a) + areaB.get(b));
    bestA.set(a, Math.max(bestA.get(a) || 0, dice));
    bestB.set(b, Math.max(bestB.get(b) || 0, dice));
  }
  const mean = (areas, best) => {
    const ids = [...areas.keys()].filter((id) => id > 0);
    return ids.length ? ids.reduce((sum, id) => sum + (best.get(id) || 0), 0) / ids.length : null;
  };
  const [one, other] = [mean(areaA, bestA), mean(areaB, bestB)];
  if (one === null && other === null) return { sbd: 1, dice: bestA };
  return { sbd: one === null || other === null ? 0 : Math.min(one, other), dice: bestA };
}

// Ids for new clusters so that colours stay: a cluster keeps the old id it shares most cells with.
function keepIds(clusters, count, inside, oldGrid) {
  const shared = new Map();
  for (let k = 0; k < inside.length; k++) {
    const old = oldGrid[inside[k]];
    if (clusters[k] < 0 || old <= 0) continue;
    const key = clusters[k] * 16777216 + old;
    shared.set(key, (shared.get(key) || 0) + 1);
  }
  const ids = new Array(count).fill(0), taken = new Set();
  for (const [key] of [...shared].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
    const [cluster, old] = [Math.floor(key / 16777216), key % 16777216];
    if (!ids[cluster] && !taken.has(old)) {
      ids[cluster] = old;
      taken.add(old);
    }
  }
  let next = 1;
  return ids.map((id) => {
    if (id) return id;
    while (taken.has(next)) next++;
    taken.add(next);
    return next;
  });
}

// One row per instance: id, area in the image's own pixels, mean vector, nearest other and its distance.
function instanceTable(labels, gridLabels, { info, points, inside }) {
  const E = info.scale.length;
  const unit = (info.size[0] * info.size[1]) / (info.shown[0] * info.shown[1]);
  const rows = new Map();
  const row = (id) => {
    if (!rows.has(id)) rows.set(id, { id, area: 0, cells: 0, vector: new Float64Array(E), nearest: null, distance: null });
    return rows.get(id);
  };
  for (let i = 0, run = 0; i < labels.length; i++) {
    run++;
    if (labels[i + 1] === labels[i]) continue;
    if (labels[i] > 0) row(labels[i]).area += run;
    run = 0;
  }
  for (let k = 0; k < inside.length; k++) {
    const id = gridLabels[inside[k]];
    if (id <= 0) continue;
    const entry = row(id);
    entry.cells++;
    for (let e = 0; e < E; e++) entry.vector[e] += points[k * E + e];
  }
  const list = [...rows.values()].sort((a, b) => a.id - b.id);
  for (const entry of list) {
    entry.area = Math.round(entry.area * unit);
    for (let e = 0; e < E; e++) entry.vector[e] /= entry.cells || 1;
  }
  const known = list.filter((entry) => entry.cells);
  for (let i = 0; i < known.length; i++) {
    for (let j = i + 1; j < known.length; j++) {
      let gap = 0;
      for (let e = 0; e < E; e++) gap += (known[i].vector[e] - known[j].vector[e]) ** 2;
      gap = Math.sqrt(gap);
      for (const [a, b] of [[known[i], known[j]], [known[j], known[i]]]) {
        if (a.distance === null || gap < a.distance) [a.nearest, a.distance] = [b.id, gap];
      }
    }
  }
  return list;
}

function merged(labels, ids) {
  const target = Math.min(...ids), set = new Set(ids);
  return labels.map((id) => (set.has(id) ? target : id));
}

// Shown pixels whose cell is chosen (bytes over the grid) become a new instance.
function carved(labels, chosen, cells) {
  const id = maximum(labels) + 1;
  return labels.map((old, i) => (old > 0 && chosen[cells[i]] ? id : old));
}

// Split one instance in two by 2-means in the embedding, begun at two cells, or at two far ones.
function split(labels, gridLabels, id, { info, points, inside, cells, pixels }, start) {
  const E = info.scale.length;
  const own = [];
  for (let k = 0; k < inside.length; k++) if (gridLabels[inside[k]] === id) own.push(k);
  if (own.length < 2) return null;
  const vector = (k) => points.subarray(k * E, k * E + E);
  const gap = (a, b) => {
    let sum = 0;
    for (let e = 0; e < E; e++) sum += (a[e] - b[e]) ** 2;
    return sum;
  };
  const farthest = (from) => own.reduce((far, k) => (gap(vector(k), from) > gap(vector(far), from) ? k : far), own[0]);
  let centers;
  if (start) {
    const ranks = start.map((cell) => own.find((k) => inside[k] === cell));
    if (ranks.includes(undefined)) return null;
    centers = ranks.map((k) => Float64Array.from(vector(k)));
  } else {
    const first = farthest(vector(own[0]));
    centers = [vector(first), vector(farthest(vector(first)))].map((v) => Float64Array.from(v));
  }
  const second = new Uint8Array(pixels);
  for (let round = 0; round < 30; round++) {
    const sums = [new Float64Array(E), new Float64Array(E)], counts = [0, 0];
    let changed = false;
    for (const k of own) {
      const side = gap(vector(k), centers[1]) < gap(vector(k), centers[0]) ? 1 : 0;
      changed ||= second[inside[k]] !== side;
      second[inside[k]] = side;
      counts[side]++;
      for (let e = 0; e < E; e++) sums[side][e] += points[k * E + e];
    }
    if (!counts[0] || !counts[1]) return null;
    centers = sums.map((sum, s) => sum.map((v) => v / counts[s]));
    if (!changed) break;
  }
  const fresh = maximum(labels) + 1;
  return labels.map((old, i) => (old === id && second[cells[i]] ? fresh : old));
}
