// Colour tables and the pictures of the layers: arrays in, ImageData out.
"use strict";

const colorAt = (hex, i) => [0, 2, 4].map((k) => parseInt(hex.slice(6 * i + k, 6 * i + k + 2), 16));

// One little-endian RGBA word.
const word = ([r, g, b], a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

class Palette {
  constructor(info) {
    this.size = info.palette.length / 6;
    this.rgb = Array.from({ length: this.size }, (_, i) => colorAt(info.palette, i));
    this.words = Uint32Array.from(this.rgb, (c) => word(c));
  }
  of(id) { return this.rgb[(id - 1) % this.size]; }
  css(id) { return `rgb(${this.of(id).join(" ")})`; }
  wordOf(id) { return this.words[(id - 1) % this.size]; }
}

// 256 words between evenly spaced stops (hex colours); `alpha` maps 0..1 to opacity.
function ramp(stops, alpha = () => 1) {
  const rgb = stops.map((stop) => colorAt(stop, 0));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (rgb.length - 1);
    const low = Math.min(Math.floor(at), rgb.length - 2);
    const mix = rgb[low].map((v, c) => Math.round(v + (rgb[low + 1][c] - v) * (at - low)));
    return word(mix, Math.round(255 * alpha(i / 255)));
  });
}

function blank(width, height) {
  const image = new ImageData(width, height);
  return { image, words: new Uint32Array(image.data.buffer) };
}

function labelPicture(labels, [H, W], palette, selected) {
  const { image, words } = blank(W, H);
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] > 0) {
      const color = palette.wordOf(labels[i]);
      words[i] = !selected.size || selected.has(labels[i]) ? color : (color & 0xffffff) | 0x40000000;
    }
  }
  return image;
}

// Rims of instances in their colour; selected ones white and thicker.
function outlinePicture(labels, [H, W], palette, selected) {
  const { image, words } = blank(W, H);
  const rim = (i, id) => {
    words[i] = selected.has(id) ? 0xffffffff : palette.wordOf(id);
  };
  for (let y = 0, i = 0; y < H; y++) {
    for (let x = 0; x < W; x++, i++) {
      const id = labels[i];
      if (id <= 0) continue;
      if ((x > 0 && labels[i - 1] !== id) || (x < W - 1 && labels[i + 1] !== id) ||
          (y > 0 && labels[i - W] !== id) || (y < H - 1 && labels[i + W] !== id)) rim(i, id);
    }
  }
  return image;
}

function greyPicture(bytes, [H, W]) {
  const { image, words } = blank(W, H);
  for (let i = 0; i < bytes.length; i++) words[i] = 0xff000000 | (bytes[i] * 0x010101);
  return image;
}

// The embedding in the colours of its three main directions; foreground only.
function pcaPicture({ info, embedding, inside, pixels }) {
  const { image } = blank(info.grid[1], info.grid[0]);
  const { axes, shift } = info.pca;
  const value = new Float32Array(inside.length);
  for (let c = 0; c < 3; c++) {
    value.fill(shift[c]);
    axes[c].forEach((weight, e) => {
      const gain = weight * info.scale[e];
      const base = weight * info.offset[e];
      for (let k = 0; k < inside.length; k++) {
        value[k] += embedding[e * pixels + inside[k]] * gain + base;
      }
    });
    for (let k = 0; k < inside.length; k++) {
      image.data[4 * inside[k] + c] = 20 + 235 * Math.min(1, Math.max(0, value[k]));
    }
  }
  for (const i of inside) image.data[4 * i + 3] = 255;
  return image;
}

// Distance of every cell to one, by a table of squares per channel. Returns Float32 (h*w).
function distancesTo({ info, embedding, pixels }, cell, out) {
  const table = new Float32Array(256);
  out.fill(0);
  for (let e = 0; e < info.scale.length; e++) {
    const at = embedding[e * pixels + cell];
    for (let q = 0; q < 256; q++) table[q] = ((q - at) * info.scale[e]) ** 2;
    const plane = embedding.subarray(e * pixels, (e + 1) * pixels);
    for (let i = 0; i < pixels; i++) out[i] += table[plane[i]];
  }
  for (let i = 0; i < pixels; i++) out[i] = Math.sqrt(out[i]);
  return out;
}

// Heat of distances: bright where near; `colors` holds 256 words from 0 to `reach`. The background,
// which took no part in the loss, is as dark as what is far.
function heatPicture(distances, { info, mask }, reach, colors) {
  const { image, words } = blank(info.grid[1], info.grid[0]);
  const gain = 255 / reach;
  for (let i = 0; i < distances.length; i++) {
    words[i] = colors[mask[i] ? Math.min(255, distances[i] * gain) | 0 : 255];
  }
  return image;
}

// Distance to the own mean minus that to the nearest other; blue well inside, orange wrong.
// `means` are [{ id, vector }]; other means are tried from the nearest on, until none can be nearer.
function marginPicture({ info, points, inside }, gridLabels, means, reach, colors) {
  const { image, words } = blank(info.grid[1], info.grid[0]);
  const E = info.scale.length;
  const near = (a, b, at) => {
    let sum = 0;
    for (let e = 0; e < E; e++) sum += (a[at + e] - b[e]) ** 2;
    return Math.sqrt(sum);
  };
  const order = new Map(means.map((own) => [own.id, {
    own: own.vector,
    others: means.filter((m) => m !== own)
      .map((m) => ({ vector: m.vector, gap: near(m.vector, own.vector, 0) }))
      .sort((a, b) => a.gap - b.gap),
  }]));
  for (let k = 0; k < inside.length; k++) {
    const entry = order.get(gridLabels[inside[k]]);
    if (!entry || !entry.others.length) continue;
    const own = near(points, entry.own, k * E);
    let other = Infinity;
    for (const { vector, gap } of entry.others) {
      if (gap - own >= other) break;
      other = Math.min(other, near(points, vector, k * E));
    }
    const value = (own - other) / reach;
    const place = value < 0 ? 0.6 * (1 + value) : 0.6 + 0.4 * value;
    words[inside[k]] = colors[Math.round(255 * Math.min(1, Math.max(0, place)))];
  }
  return image;
}
