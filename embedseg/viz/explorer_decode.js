// The data of the page: base64 -> inflate -> typed arrays, as `explorer_data.py` packed them.
"use strict";

async function inflate(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Planes of bytes (E, h, w), stored as differences to the pixel on the left.
async function inflatePlanes(id, width) {
  const bytes = await inflate(id);
  for (let row = 0; row < bytes.length; row += width) {
    for (let i = row + 1; i < row + width; i++) bytes[i] += bytes[i - 1];
  }
  return bytes;
}

async function inflateLabels(id) {
  if (!document.getElementById(id)) return null;
  return new Int32Array((await inflate(id)).buffer);
}

async function decodeImage(id) {
  const image = document.getElementById(id);
  await image.decode();
  return image;
}

// Everything the explorer works on. `info` is the page's header (see explorer_data.py).
async function loadData(info) {
  const [h, w] = info.grid;
  const [embedding, foreground, labels, truth, image] = await Promise.all([
    inflatePlanes("data-embedding", w),
    inflatePlanes("data-foreground", info.shown[1]),
    inflateLabels("data-labels"),
    inflateLabels("data-truth"),
    decodeImage("data-image"),
  ]);
  const data = { info, embedding, foreground, labels, truth, image, pixels: h * w };
  data.cells = cellMap(info);
  data.mask = gridMask(info, await inflate("data-mask"));
  data.inside = insideOf(data.mask);
  data.founders = await foundersOf(data);
  data.classes = await classesOf(data);
  data.points = pointsOf(data);
  data.groups = classGroups(data);
  return data;
}

// For each shown pixel the index of its cell in the embedding's grid.
function cellMap({ grid: [h, w], shown: [H, W] }) {
  const cells = new Int32Array(H * W);
  for (let y = 0, i = 0; y < H; y++) {
    const row = Math.min(h - 1, Math.floor(((y + 0.5) * h) / H)) * w;
    for (let x = 0; x < W; x++, i++) cells[i] = row + Math.min(w - 1, Math.floor(((x + 0.5) * w) / W));
  }
  return cells;
}

function gridMask({ grid: [h, w] }, bits) {
  const mask = new Uint8Array(h * w);
  for (let i = 0; i < mask.length; i++) mask[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
  return mask;
}

function insideOf(mask) {
  let count = 0;
  for (const bit of mask) count += bit;
  const inside = new Int32Array(count);
  for (let i = 0, k = 0; i < mask.length; i++) if (mask[i]) inside[k++] = i;
  return inside;
}

// Ranks among the foreground cells of those that may found clusters; null: all may.
async function foundersOf({ info, inside }) {
  if (!document.getElementById("data-core")) return null;
  const core = gridMask(info, await inflate("data-core"));
  return Int32Array.from(inside.keys()).filter((rank) => core[inside[rank]]);
}

// The class of each foreground cell; null: there is one.
async function classesOf({ inside }) {
  if (!document.getElementById("data-classes")) return null;
  const grid = await inflate("data-classes");
  return Uint8Array.from(inside, (cell) => grid[cell]);
}

// Foreground vectors (N, E), one after the other, for clustering.
function pointsOf({ info, embedding, inside, pixels }) {
  const E = info.scale.length;
  const points = new Float32Array(inside.length * E);
  for (let e = 0; e < E; e++) {
    const [plane, scale, offset] = [e * pixels, info.scale[e], info.offset[e]];
    for (let k = 0; k < inside.length; k++) {
      points[k * E + e] = embedding[plane + inside[k]] * scale + offset;
    }
  }
  return points;
}
