// The scatter on the right: a sample of foreground pixels in a plane of the embedding, with a lasso.
"use strict";

const SCATTER_POINTS = 4000;

class Scatter {
  // `on` holds hover(cell | null), pick(cell), lasso(polygon | null).
  constructor(canvas, data, palette, on) {
    Object.assign(this, { canvas, data, palette, on });
    this.context = canvas.getContext("2d");
    this.sample = spread(data.inside.length, SCATTER_POINTS); // ranks of foreground cells
    this.colors = [];
    this.means = []; // { id, vector }
    this.selected = new Set();
    this.lassoed = null; // bytes over the grid
    this.marks = []; // { cell, text }
    this.setPlane(Object.keys(data.info.planes)[0]);
    this.watch();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.resize();
  }

  setPlane(name) {
    const { mean, axes } = this.data.info.planes[name];
    this.plane = { mean, axes };
    this.place = Float32Array.from({ length: 2 * this.sample.length });
    this.sample.forEach((rank, i) => this.place.set(this.project(rank), 2 * i));
    let box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < this.place.length; i += 2) {
      const [x, y] = [this.place[i], this.place[i + 1]];
      box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
    }
    this.box = this.sample.length ? box : [-1, -1, 1, 1];
    this.draw();
  }

  // Place in the plane of a foreground cell (by rank) or of any vector.
  project(rank) {
    const E = this.data.info.scale.length;
    return this.projectVector(this.data.points.subarray(rank * E, rank * E + E));
  }

  projectVector(vector) {
    const { mean, axes } = this.plane;
    return axes.map((axis) => axis.reduce((sum, weight, e) => sum + weight * (vector[e] - mean[e]), 0));
  }

  projectCell(cell) {
    const { info, embedding, pixels } = this.data;
    return this.projectVector(info.scale.map((scale, e) => embedding[e * pixels + cell] * scale + info.offset[e]));
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(box.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * this.ratio));
    this.draw();
  }

  view() {
    const margin = 16 * this.ratio, [x0, y0, x1, y1] = this.box;
    const scale = Math.min((this.canvas.width - 2 * margin) / (x1 - x0 || 1), (this.canvas.height - 2 * margin) / (y1 - y0 || 1));
    return { scale, x: this.canvas.width / 2 - (scale * (x0 + x1)) / 2, y: this.canvas.height / 2 + (scale * (y0 + y1)) / 2 };
  }

  draw() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  paint() {
    const { context: c, canvas, ratio, data } = this;
    const { scale, x, y } = this.view(), style = getComputedStyle(canvas);
    const ink = style.getPropertyValue("--ink"), soft = style.getPropertyValue("--soft");
    c.clearRect(0, 0, canvas.width, canvas.height);
    const size = Math.max(2, 2.2 * ratio);
    const lit = this.lassoed ? (rank, id) => this.lassoed[data.inside[rank]]
      : this.selected.size ? (rank, id) => this.selected.has(id) : null;
    for (const bright of lit ? [false, true] : [true]) {
      this.sample.forEach((rank, i) => {
        const id = this.grid ? this.grid[data.inside[rank]] : 0;
        if (lit && Boolean(lit(rank, id)) !== bright) return;
        c.globalAlpha = bright ? 0.75 : 0.12;
        c.fillStyle = id > 0 ? this.palette.css(id) : soft;
        c.fillRect(x + scale * this.place[2 * i] - size / 2, y - scale * this.place[2 * i + 1] - size / 2, size, size);
      });
    }
    c.globalAlpha = 1;
    this.paintMeans(c, scale, x, y, ink);
    this.paintMarks(c, scale, x, y, ink);
    this.paintLasso(c, ink);
  }

  paintMeans(c, scale, x, y, ink) {
    const numbered = this.means.length <= 40, calm = Math.min(0.9, 36 / this.means.length);
    c.strokeStyle = c.fillStyle = ink;
    c.font = `${11 * this.ratio}px system-ui, sans-serif`;
    for (const { id, vector } of this.means) {
      const [px, py] = this.projectVector(vector);
      const [cx, cy] = [x + scale * px, y - scale * py];
      c.globalAlpha = this.selected.has(id) ? 0.9 : this.selected.size ? calm / 4 : calm;
      c.lineWidth = (this.selected.has(id) ? 2 : 1) * this.ratio;
      if (this.data.info.bandwidth !== null) {
        c.beginPath();
        c.arc(cx, cy, scale * this.data.info.delta_v, 0, 2 * Math.PI);
        c.stroke();
      }
      if (numbered) c.fillText(id, cx + 3 * this.ratio, cy - 3 * this.ratio);
      c.fillRect(cx - 1.5 * this.ratio, cy - 1.5 * this.ratio, 3 * this.ratio, 3 * this.ratio);
    }
    c.globalAlpha = 1;
  }

  paintMarks(c, scale, x, y, ink) {
    for (const { cell, text } of this.marks) {
      const [px, py] = this.projectCell(cell);
      for (const [width, stroke] of [[4, "rgb(0 0 0 / 0.6)"], [2, "#ffffff"]]) {
        c.lineWidth = width * this.ratio;
        c.strokeStyle = stroke;
        c.beginPath();
        c.arc(x + scale * px, y - scale * py, 6 * this.ratio, 0, 2 * Math.PI);
        c.stroke();
      }
      c.font = `600 ${13 * this.ratio}px system-ui, sans-serif`;
      c.fillStyle = ink;
      if (text) c.fillText(text, x + scale * px + 9 * this.ratio, y - scale * py - 7 * this.ratio);
    }
  }

  paintLasso(c, ink) {
    if (!this.trail) return;
    const { scale, x, y } = this.view();
    c.beginPath();
    for (const [px, py] of this.trail) c.lineTo(x + scale * px, y - scale * py);
    c.closePath();
    c.fillStyle = "rgb(86 180 233 / 0.18)";
    c.fill();
    c.lineWidth = 1.5 * this.ratio;
    c.setLineDash([5 * this.ratio, 4 * this.ratio]);
    c.strokeStyle = ink;
    c.stroke();
    c.setLineDash([]);
  }

  // Place in the plane under a pointer event.
  placeAt(event) {
    const box = this.canvas.getBoundingClientRect(), { scale, x, y } = this.view();
    return [((event.clientX - box.left) * this.ratio - x) / scale, (y - (event.clientY - box.top) * this.ratio) / scale];
  }

  nearest([px, py], reach) {
    let best = reach / this.view().scale, found = null;
    for (let i = 0; i < this.sample.length; i++) {
      const gap = Math.hypot(this.place[2 * i] - px, this.place[2 * i + 1] - py);
      if (gap < best) [best, found] = [gap, this.data.inside[this.sample[i]]];
    }
    return found;
  }

  watch() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.trail = [this.placeAt(event)];
      this.from = [event.clientX, event.clientY];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.trail) {
        this.trail.push(this.placeAt(event));
        this.draw();
      } else this.on.hover(this.nearest(this.placeAt(event), 12 * this.ratio));
    });
    canvas.addEventListener("pointerup", (event) => {
      const trail = this.trail;
      this.trail = null;
      if (!trail) return;
      const moved = Math.hypot(event.clientX - this.from[0], event.clientY - this.from[1]);
      if (trail.length > 2 && (moved > 5 || trail.length > 8)) this.on.lasso(trail);
      else {
        const cell = this.nearest(this.placeAt(event), 12 * this.ratio);
        if (cell === null) this.on.lasso(null);
        else this.on.pick(cell);
      }
      this.draw();
    });
    canvas.addEventListener("pointercancel", () => { this.trail = null; this.draw(); });
    canvas.addEventListener("pointerleave", () => this.trail || this.on.hover(null));
  }

  // Bytes over the grid: the foreground cells whose place lies in the polygon; and their number.
  cellsWithin(polygon) {
    const { inside, pixels } = this.data, chosen = new Uint8Array(pixels);
    let count = 0;
    for (let rank = 0; rank < inside.length; rank++) {
      if (!isInside(polygon, this.project(rank))) continue;
      chosen[inside[rank]] = 1;
      count++;
    }
    return { chosen, count };
  }
}

// Even-odd rule.
function isInside(polygon, [x, y]) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}
