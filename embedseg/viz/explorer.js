// The explorer itself: one state of labels, seen in the image, the scatter and the table.
"use strict";

const $ = (id) => document.getElementById(id);
const PATIENCE = 6000, PATIENCE_DRAGGING = 700; // milliseconds that clustering may take
const fixed = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));

class Explorer {
  constructor(data) {
    Object.assign(this, { data, info: data.info });
    this.palette = new Palette(data.info);
    this.history = new History({ labels: data.labels, scores: data.info.scores, bandwidth: data.info.bandwidth });
    this.layer = "labels";
    this.pins = []; // cells, with their shown pixel
    this.probe = null;
    this.selected = new Set();
    this.distances = new Float32Array(data.pixels);
    this.reach = 2 * data.info.delta_d;
    this.heatOver = ramp(data.info.heat, (at) => 0.92 - 0.3 * at);
    this.heatFull = ramp(data.info.heat);
    this.marginColors = ramp(data.info.margin);
    this.stage = new Stage($("image"), data.image, data.info.shown, {
      hover: (pixel) => this.hover(pixel),
      pick: (pixel) => this.pin(pixel),
    });
    this.scatter = new Scatter($("scatter"), data, this.palette, {
      hover: (cell) => this.hover(cell === null ? null : this.pixelOf(cell)),
      pick: (cell) => this.pin(this.pixelOf(cell)),
      lasso: (polygon) => this.lasso(polygon),
    });
    this.table = new InstanceTable($("table"), this.palette, this.columns(), { select: (ids) => this.select(ids) });
    this.refresh();
  }

  columns() {
    const all = [
      { key: "id", name: "id", title: "instance" },
      { key: "area", name: "area", title: "pixels of the image", text: (v) => v.toLocaleString("en") },
      { key: "score", name: "score", title: "confidence of the prediction", text: (v) => fixed(v) },
      { key: "dice", name: "Dice", title: "best Dice with a true instance", text: (v) => fixed(v) },
      { key: "nearest", name: "nearest", title: "instance whose mean is nearest", text: String },
      { key: "distance", name: "distance", title: "between the means", text: (v) => fixed(v) },
    ];
    const has = { score: Object.keys(this.info.scores).length > 0, dice: Boolean(this.data.truth) };
    return all.filter(({ key }) => has[key] !== false);
  }

  get labels() { return this.history.now.labels; }
  get bandwidth() { return this.history.now.bandwidth; }

  // --- from the state of labels to everything that shows it
  refresh() {
    const { data, info } = this;
    this.grid = toGrid(this.labels, info);
    this.rows = instanceTable(this.labels, this.grid, data);
    const quality = data.truth ? symmetricBestDice(this.labels, data.truth) : null;
    for (const row of this.rows) {
      row.score = this.history.now.scores[row.id] ?? null;
      row.dice = quality ? quality.dice.get(row.id) || 0 : null;
      row.close = row.distance !== null && row.distance < this.bandwidth;
    }
    const ids = new Set(this.rows.map((row) => row.id));
    this.selected = new Set([...this.selected].filter((id) => ids.has(id)));
    $("count").textContent = this.rows.length;
    $("count-noun").textContent = this.rows.length === 1 ? "instance" : "instances";
    $("no-points").hidden = this.data.inside.length > 0;
    $("sbd-figure").hidden = !quality;
    if (quality) $("sbd").textContent = quality.sbd.toFixed(3);
    this.scatter.grid = this.grid;
    this.scatter.means = this.rows.filter((row) => row.cells);
    this.table.selected = this.selected;
    this.table.show(this.rows);
    if (this.bandwidth !== null) {
      $("bandwidth").value = this.bandwidth;
      $("bandwidth-value").textContent = this.bandwidth.toFixed(2);
    }
    this.showSelection();
  }

  change(labels, bandwidth = this.bandwidth, replace = false) {
    const old = this.history.now, kept = {};
    if (bandwidth === old.bandwidth) {
      const touched = new Set();
      labels.forEach((id, i) => { if (id !== old.labels[i]) touched.add(id).add(old.labels[i]); });
      for (const id in old.scores) if (!touched.has(Number(id))) kept[id] = old.scores[id];
    }
    this.history[replace ? "replace" : "push"]({ labels, scores: kept, bandwidth });
    this.refresh();
  }

  // --- layers
  setLayer(name) {
    this.layer = name;
    this.probe = null; // a pointer that rests on the image shall not hide the new layer
    for (const button of $("layers").children) button.setAttribute("aria-checked", button.dataset.name === name);
    this.showLayer();
    this.showProbe();
  }

  showLayer() {
    const { data, info, layer } = this;
    const paint = {
      image: () => null,
      pca: () => (this.pca ||= pcaPicture(data)),
      labels: () => labelPicture(this.labels, info.shown, this.palette, this.selected),
      truth: () => labelPicture(data.truth, info.shown, this.palette, new Set()),
      margin: () => marginPicture(data, this.grid, this.scatter.means, this.reach, this.marginColors),
      foreground: () => greyPicture(data.foreground, info.shown),
      heat: () => (this.heatCell() === null ? null : heatPicture(this.distances, data, this.reach, this.heatFull)),
    };
    this.stage.setLayer("layer", paint[layer]());
    const outlined = $("outlines").checked && { image: 1, pca: 1, labels: 1, margin: 1, heat: 1, foreground: 1 }[layer];
    const shownLabels = layer === "truth" ? data.truth : this.labels;
    this.stage.setLayer("outlines", outlined || layer === "truth" ? outlinePicture(shownLabels, info.shown, this.palette, layer === "truth" ? new Set() : this.selected) : null, 1);
    this.showLegend();
  }

  showLegend() {
    const bars = { heat: [info => info.heat, "0", `${fixed(this.reach, 1)} distance`], margin: [info => info.margin, "own", "other"] };
    const entry = bars[this.layer];
    $("legend").hidden = !entry;
    if (!entry) return;
    const [stops, low, high] = entry;
    $("legend-low").textContent = low;
    $("legend-high").textContent = high;
    $("legend-bar").style.background = `linear-gradient(90deg, ${stops(this.info).map((hex) => `#${hex}`).join(", ")})`;
  }

  // --- probing
  cellOf({ x, y }) { return this.data.cells[y * this.info.shown[1] + x]; }

  pixelOf(cell) {
    const { grid: [h, w], shown: [H, W] } = this.info;
    return { x: Math.floor((((cell % w) + 0.5) * W) / w), y: Math.floor(((Math.floor(cell / w) + 0.5) * H) / h) };
  }

  heatCell() {
    return this.probe ? this.probe.cell : this.pins.length ? this.pins[0].cell : null;
  }

  spot(pixel, text) { return { ...pixel, cell: this.cellOf(pixel), text }; }

  hover(pixel) {
    this.probe = pixel ? this.spot(pixel, "") : null;
    this.showProbe();
  }

  pin(pixel) {
    if (this.pins.length === 2) this.pins = [];
    this.pins.push(this.spot(pixel, this.pins.length ? "B" : "A"));
    const id = this.labelAt(pixel);
    if (this.pins.length === 1 && !this.scatter.lassoed) this.select(new Set(id > 0 ? [id] : []), true);
    this.showProbe();
    this.showButtons();
  }

  labelAt({ x, y }) { return this.labels[y * this.info.shown[1] + x]; }

  showProbe() {
    const cell = this.heatCell();
    if (cell !== null) distancesTo(this.data, cell, this.distances);
    const over = $("heat-on").checked && cell !== null && this.layer !== "heat";
    this.stage.quiet = over; // the heat stands over the bare image
    this.stage.setLayer("heat", over ? heatPicture(this.distances, this.data, this.reach, this.heatOver) : null, 1);
    if (this.layer === "heat") this.showLayer();
    const pinned = this.pins.some((pin) => pin.cell === cell);
    const marks = this.probe && !pinned ? [...this.pins, this.probe] : this.pins;
    this.stage.marks = marks.map((mark) => ({ ...mark, color: "#ffffff" }));
    this.scatter.marks = marks;
    this.stage.draw();
    this.scatter.draw();
    this.showReadout();
  }

  gapBetween(a, b) {
    const { info, embedding, pixels } = this.data;
    return Math.sqrt(info.scale.reduce((sum, scale, e) =>
      sum + ((embedding[e * pixels + a] - embedding[e * pixels + b]) * scale) ** 2, 0));
  }

  showReadout() {
    const { size: [height], shown: [H] } = this.info, unit = height / H, parts = [];
    const name = (spot) => (this.labelAt(spot) > 0 ? `instance ${this.labelAt(spot)}` : "background");
    if (this.probe) parts.push(`x ${Math.round(this.probe.x * unit)} y ${Math.round(this.probe.y * unit)} · ${name(this.probe)}`);
    for (const pin of this.pins) parts.push(`<b>${pin.text}</b> ${name(pin)}`);
    const ends = this.pins.length === 2 ? this.pins : this.pins.length && this.probe ? [this.pins[0], this.probe] : null;
    if (ends) {
      const gap = this.gapBetween(ends[0].cell, ends[1].cell), apart = gap > this.bandwidth;
      const names = this.pins.length === 2 ? "A–B" : "to A";
      const where = `<span class="${apart ? "apart" : "near"}">${apart ? "beyond" : "within"} the bandwidth</span>`;
      parts.push(`${names} <b>${fixed(gap)}</b> ${this.bandwidth === null ? "" : where}`);
    }
    $("readout").innerHTML = parts.join(" &nbsp;·&nbsp; ") || "Hover the image; click to pin a pixel.";
  }

  // --- selection
  select(ids, scroll = false) {
    this.selected = new Set(ids);
    this.table.select(ids, scroll);
    if (this.scatter.lassoed) this.lasso(null);
    this.showSelection();
  }

  showSelection() {
    this.scatter.selected = this.selected;
    this.scatter.draw();
    this.showLayer();
    this.showButtons();
    this.showProbe();
  }

  lasso(polygon) {
    const { chosen, count } = polygon ? this.scatter.cellsWithin(polygon) : { chosen: null, count: 0 };
    this.scatter.lassoed = count ? chosen : null;
    $("lasso-count").textContent = polygon ? `${count.toLocaleString("en")} pixels` : "drag to lasso";
    this.showLasso();
    this.showButtons();
    this.scatter.draw();
  }

  showLasso() {
    const chosen = this.scatter.lassoed;
    if (!chosen) return this.stage.setLayer("selection", null);
    const { image, words } = blank(this.info.grid[1], this.info.grid[0]);
    for (let i = 0; i < chosen.length; i++) words[i] = chosen[i] ? 0xd0ffffff : 0x90000000;
    this.stage.setLayer("selection", image, 1);
  }

  pinLabels() { return this.pins.length === 2 ? this.pins.map((pin) => this.labelAt(pin)) : [0, 0]; }

  mergeable() {
    if (this.selected.size >= 2) return [...this.selected];
    const [a, b] = this.pinLabels();
    return a > 0 && b > 0 && a !== b ? [a, b] : null;
  }

  splittable() {
    const [a, b] = this.pinLabels();
    if (a > 0 && a === b) return { id: a, start: this.pins.map((pin) => pin.cell) };
    return this.selected.size === 1 ? { id: [...this.selected][0], start: null } : null;
  }

  showButtons() {
    $("merge").disabled = !this.mergeable();
    $("split").disabled = !this.splittable();
    $("carve").disabled = !this.scatter.lassoed;
    $("undo").disabled = !this.history.canUndo;
    $("redo").disabled = !this.history.canRedo;
    $("reset").disabled = this.labels === this.data.labels;
    $("selected-count").textContent = this.selected.size ? `${this.selected.size} selected` : "";
  }

  // --- edits
  merge() {
    const ids = this.mergeable();
    if (!ids) return;
    this.selected = new Set([Math.min(...ids)]);
    this.pins = [];
    this.change(merged(this.labels, ids));
  }

  split() {
    const plan = this.splittable();
    const labels = plan && split(this.labels, this.grid, plan.id, this.data, plan.start);
    if (!labels) return;
    this.selected = new Set([plan.id, maximum(labels)]);
    this.pins = [];
    this.change(labels);
  }

  carve() {
    if (!this.scatter.lassoed) return;
    const labels = carved(this.labels, this.scatter.lassoed, this.data.cells);
    this.lasso(null);
    this.selected = new Set([maximum(labels)]);
    this.change(labels);
  }

  restore(step) {
    this.history[step]();
    this.refresh();
  }

  reset() {
    if (this.labels === this.data.labels) return;
    this.history.push(this.history.states[0].labels === this.data.labels ? this.history.states[0]
      : { labels: this.data.labels, scores: this.info.scores, bandwidth: this.info.bandwidth });
    this.refresh();
  }

  clear() {
    this.pins = [];
    this.lasso(null);
    this.select(new Set());
  }

  // --- clustering
  // Returns whether it was done in time.
  recluster(bandwidth, replace = false, dragging = false) {
    const found = segmentCells(this.data, bandwidth, dragging ? PATIENCE_DRAGGING : PATIENCE);
    const excuse = dragging ? "let go to cluster" : "too many clusters to draw here";
    $("bandwidth-note").textContent = found ? "" : excuse;
    $("bandwidth-value").textContent = bandwidth.toFixed(2);
    if (!found) return false;
    const ids = keepIds(found.clusters, found.count, this.data.inside, this.grid);
    this.change(toShown(found.clusters, ids, this.data), bandwidth, replace);
    return true;
  }

  async save() {
    const blob = await labelPng(this.labels, this.info);
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${this.info.name}_labels.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    return blob;
  }
}
