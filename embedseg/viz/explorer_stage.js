// The image on the left: layers blended over it, zoom and pan, and a pointer that probes pixels.
"use strict";

const MOST_ZOOM = 40;

class Stage {
  // `shown` = [H, W]; `on` holds the callbacks hover(pixel | null), pick(pixel).
  constructor(canvas, image, shown, on) {
    Object.assign(this, { canvas, image, on, H: shown[0], W: shown[1] });
    this.context = canvas.getContext("2d");
    this.layers = {}; // name -> { picture: canvas, alpha }
    this.marks = []; // { x, y, text, color } in shown pixels
    this.blend = 0.6;
    this.pointers = new Map();
    this.watch();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.resize();
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const fitted = !this.scale || Math.abs(this.scale - this.fitScale) < 1e-9;
    this.canvas.width = Math.max(1, Math.round(box.width * ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * ratio));
    this.ratio = ratio;
    this.fitScale = Math.min(this.canvas.width / this.W, this.canvas.height / this.H);
    if (fitted) this.fit();
    else this.settle();
  }

  fit() {
    this.scale = this.fitScale;
    this.left = this.top = 0;
    this.settle();
  }

  // Keep the image in view: centred where it is smaller than the stage, else without gaps.
  settle() {
    const place = (at, length, room) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at)));
    this.left = place(this.left, this.W * this.scale, this.canvas.width);
    this.top = place(this.top, this.H * this.scale, this.canvas.height);
    this.draw();
  }

  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const scale = Math.min(this.fitScale * MOST_ZOOM, Math.max(this.fitScale, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.settle();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.settle();
  }

  reveal({ x, y }) {
    const [px, py] = [this.left + x * this.scale, this.top + y * this.scale];
    if (px < 0 || py < 0 || px > this.canvas.width || py > this.canvas.height) {
      this.pan(this.canvas.width / 2 - px, this.canvas.height / 2 - py);
    }
  }

  setLayer(name, picture, alpha = null) {
    if (!picture) delete this.layers[name];
    else {
      const keep = this.layers[name]?.picture;
      const canvas = keep && keep.width === picture.width && keep.height === picture.height
        ? keep : Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
      canvas.getContext("2d").putImageData(picture, 0, 0);
      this.layers[name] = { picture: canvas, alpha };
    }
    this.draw();
  }

  draw() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  paint() {
    const { context: c, canvas } = this;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.setTransform(this.scale, 0, 0, this.scale, this.left, this.top);
    c.imageSmoothingEnabled = this.scale < 3;
    c.drawImage(this.image, 0, 0, this.W, this.H);
    for (const name of ["layer", "heat", "selection", "outlines"]) {
      const layer = this.layers[name];
      if (!layer || (name === "layer" && this.quiet)) continue;
      c.globalAlpha = layer.alpha ?? this.blend;
      c.drawImage(layer.picture, 0, 0, this.W, this.H);
    }
    c.globalAlpha = 1;
    c.setTransform(1, 0, 0, 1, 0, 0);
    for (const mark of this.marks) this.paintMark(mark);
  }

  paintMark({ x, y, text, color }) {
    const { context: c, ratio } = this;
    const [px, py] = [this.left + (x + 0.5) * this.scale, this.top + (y + 0.5) * this.scale];
    for (const [width, stroke] of [[4 * ratio, "rgb(0 0 0 / 0.75)"], [2 * ratio, color]]) {
      c.lineWidth = width;
      c.strokeStyle = stroke;
      c.beginPath();
      c.arc(px, py, 6 * ratio, 0, 2 * Math.PI);
      c.stroke();
    }
    if (!text) return;
    c.font = `600 ${13 * ratio}px system-ui, sans-serif`;
    c.lineWidth = 3 * ratio;
    c.strokeStyle = "rgb(0 0 0 / 0.75)";
    c.strokeText(text, px + 9 * ratio, py - 7 * ratio);
    c.fillStyle = color;
    c.fillText(text, px + 9 * ratio, py - 7 * ratio);
  }

  // The shown pixel under a pointer event, or null beside the image.
  pixelAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) * this.ratio - this.left) / this.scale);
    const y = Math.floor(((event.clientY - box.top) * this.ratio - this.top) / this.scale);
    return x >= 0 && y >= 0 && x < this.W && y < this.H ? { x, y } : null;
  }

  watch() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * 0.0016), (event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.travel = this.pointers.size > 1 ? Infinity : 0;
    });
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    canvas.addEventListener("pointerup", (event) => {
      if (this.pointers.delete(event.pointerId) && this.travel < 5) {
        const pixel = this.pixelAt(event);
        if (pixel) this.on.pick(pixel);
      }
      canvas.classList.remove("panning");
    });
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.on.hover(null));
  }

  // One pointer: pans where there is more than fits, else probes. Two: pinch.
  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.on.hover(this.pixelAt(event));
    const now = { x: event.clientX, y: event.clientY };
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    if (this.pointers.size === 2) {
      const [id] = [...this.pointers.keys()].filter((other) => other !== event.pointerId);
      const other = this.pointers.get(id);
      const length = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
      const box = this.canvas.getBoundingClientRect();
      this.pan((dx * this.ratio) / 2, (dy * this.ratio) / 2);
      this.zoom(length(now) / length(before), ((now.x + other.x) / 2 - box.left) * this.ratio, ((now.y + other.y) / 2 - box.top) * this.ratio);
    } else {
      this.travel += Math.hypot(dx, dy);
      if (this.scale > this.fitScale * 1.001) {
        this.canvas.classList.add("panning");
        this.pan(dx * this.ratio, dy * this.ratio);
      } else this.on.hover(this.pixelAt(event));
    }
    this.pointers.set(event.pointerId, now);
  }
}
