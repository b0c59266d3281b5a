// Wiring: buttons, slider, keys, theme; then the data are unpacked and the explorer begins.
"use strict";

const LAYERS = [["image", "Image"], ["pca", "PCA"], ["labels", "Labels"], ["truth", "Truth"], ["margin", "Margin"], ["foreground", "Foreground"], ["heat", "Heat"]];

const CROWDED = 0.12; // of the slider: marks nearer than this stand on two rows

function radios(box, entries, chosen, pick) {
  for (const [name, text, title] of entries) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, title: title || text });
    button.dataset.name = name;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", name === chosen);
    button.addEventListener("click", () => {
      for (const other of box.children) other.setAttribute("aria-checked", other === button);
      pick(name);
    });
    box.append(button);
  }
}

function wireSlider(explorer) {
  const { delta_v, delta_d, bandwidth } = explorer.info, slider = $("bandwidth");
  if (bandwidth === null) { // the model does not cluster by mean-shift
    for (const part of document.querySelectorAll(".of-mean-shift")) part.hidden = true;
    return;
  }
  const top = Math.max(2 * delta_d, 1.25 * bandwidth), low = Math.min(delta_v, bandwidth) / 4;
  Object.assign(slider, { min: low, max: top, step: (top - low) / 400, value: bandwidth });
  const share = (value) => (value - low) / (top - low);
  const close = [delta_v, delta_d].some((mark) => Math.abs(share(mark) - share(bandwidth)) < CROWDED);
  const marks = [[delta_v, "δ<sub>v</sub>", "", "delta_v: the loss pulls an instance's pixels to within this of their mean"],
    [delta_d, "δ<sub>d</sub>", "", "delta_d: the loss pushes means twice this apart"],
    [bandwidth, explorer.info.bandwidth_from, close ? "used low" : "used", "the bandwidth of the model"]];
  $("ticks").innerHTML = marks.map(([at, text, kind, title]) =>
    `<span class="${kind}" title="${title}" style="left:${100 * share(at)}%">${text}</span>`).join("");
  $("ticks").parentElement.classList.toggle("crowded", close);
  let begun = false, waiting = 0, done = true;
  const cluster = (dragging) => {
    done = explorer.recluster(Number(slider.value), begun, dragging);
    begun ||= done;
  };
  slider.addEventListener("input", () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      cluster(true);
    });
  });
  slider.addEventListener("change", () => requestAnimationFrame(() => {
    if (!done) cluster(false);
    begun = false;
  }));
}

function wireButtons(explorer) {
  const click = (id, action) => $(id).addEventListener("click", action);
  const { stage } = explorer;
  click("undo", () => explorer.restore("undo"));
  click("redo", () => explorer.restore("redo"));
  click("reset", () => explorer.reset());
  click("save", () => explorer.save());
  click("merge", () => explorer.merge());
  click("split", () => explorer.split());
  click("carve", () => explorer.carve());
  click("zoom-in", () => stage.zoom(1.5));
  click("zoom-out", () => stage.zoom(1 / 1.5));
  click("zoom-fit", () => stage.fit());
  click("help-open", () => $("help").showModal());
  $("blend").addEventListener("input", (event) => { stage.blend = Number(event.target.value); stage.draw(); });
  $("outlines").addEventListener("change", () => explorer.showLayer());
  $("heat-on").addEventListener("change", () => explorer.showProbe());
}

function flip(id) {
  $(id).checked = !$(id).checked;
  $(id).dispatchEvent(new Event("change"));
}

function keyActions(explorer, layers) {
  const nudge = (step) => {
    const slider = $("bandwidth");
    slider.value = Number(slider.value) + step * Number(slider.step) * 4;
    slider.dispatchEvent(new Event("input"));
    slider.dispatchEvent(new Event("change"));
  };
  const clustering = explorer.info.bandwidth === null ? {} : { "[": () => nudge(-1), "]": () => nudge(1) };
  const actions = {
    ...clustering,
    "+": () => explorer.stage.zoom(1.5), "=": () => explorer.stage.zoom(1.5), "-": () => explorer.stage.zoom(1 / 1.5), 0: () => explorer.stage.fit(),
    m: () => explorer.merge(), s: () => explorer.split(), n: () => explorer.carve(),
    o: () => flip("outlines"), h: () => flip("heat-on"), "?": () => $("help").showModal(), Escape: () => explorer.clear(),
  };
  layers.forEach(([name], i) => { actions[i + 1] = () => explorer.setLayer(name); });
  return actions;
}

function moveProbe(explorer, event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const [H, W] = explorer.info.shown, at = explorer.probe || { x: W >> 1, y: H >> 1 };
  if (event.key === "Enter") explorer.pin(at);
  else if (step) {
    const pace = event.shiftKey ? 10 : 1, clamp = (v, top) => Math.min(top - 1, Math.max(0, v));
    const pixel = { x: clamp(at.x + pace * step[0], W), y: clamp(at.y + pace * step[1], H) };
    explorer.hover(pixel);
    explorer.stage.reveal(pixel);
  } else return false;
  return true;
}

function wireKeys(explorer, layers) {
  const actions = keyActions(explorer, layers);
  document.addEventListener("keydown", (event) => {
    if ($("help").open) return;
    const control = event.ctrlKey || event.metaKey, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    let done = true;
    if (control && key === "z") explorer.restore(event.shiftKey ? "redo" : "undo");
    else if (control && key === "y") explorer.restore("redo");
    else if (control && key === "s") explorer.save();
    else if (control || event.altKey) done = false;
    else if (document.activeElement === $("image") && moveProbe(explorer, event)) done = true;
    else if (actions[key]) actions[key]();
    else done = false;
    if (done) event.preventDefault();
  });
}

function wireTheme() {
  const root = document.documentElement;
  const remember = (action) => { try { return action(window.localStorage); } catch { return null; } };
  const stored = remember((box) => box.getItem("embedseg-theme"));
  if (stored) root.dataset.theme = stored;
  const redraw = () => window.explorer?.scatter.draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  $("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember((box) => box.setItem("embedseg-theme", root.dataset.theme));
    redraw();
  });
}

async function start() {
  wireTheme();
  if (!window.DecompressionStream) {
    $("loading").textContent = "This page needs a browser of 2023 or later (DecompressionStream).";
    return;
  }
  const data = await loadData(JSON.parse($("info").textContent));
  const layers = LAYERS.filter(([name]) => name !== "truth" || data.truth);
  const explorer = new Explorer(data);
  radios($("layers"), layers, explorer.layer, (name) => explorer.setLayer(name));
  radios($("planes"), Object.keys(data.info.planes).map((name) => [name, name]), Object.keys(data.info.planes)[0], (name) => explorer.scatter.setPlane(name));
  wireSlider(explorer);
  wireButtons(explorer);
  wireKeys(explorer, layers);
  $("loading").hidden = true;
  window.explorer = explorer;
}

window.ready = start().catch((error) => {
  $("loading").textContent = `This page is damaged: ${error.message}`;
  throw error;
});
