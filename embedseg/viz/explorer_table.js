// The table of instances: sorted by a click on a head, rows select, boxes gather for a merge.
"use strict";

class InstanceTable {
  // `on.select(ids)` is called with a Set of ids whenever the selection changes by hand.
  constructor(table, palette, columns, on) {
    Object.assign(this, { table, palette, columns, on, rows: [], selected: new Set() });
    this.sort = { key: "id", up: true };
    const head = table.createTHead().insertRow();
    for (const { key, name, title } of columns) {
      const cell = document.createElement("th");
      const button = Object.assign(document.createElement("button"), { textContent: name, title, type: "button" });
      button.addEventListener("click", () => this.sortBy(key));
      cell.scope = "col";
      cell.dataset.key = key;
      cell.append(button);
      head.append(cell);
    }
    this.body = table.createTBody();
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("keydown", (event) => this.pressed(event));
  }

  sortBy(key) {
    this.sort = { key, up: this.sort.key === key ? !this.sort.up : key === "id" || key === "distance" };
    this.show(this.rows);
  }

  show(rows) {
    this.rows = rows;
    const { key, up } = this.sort, sign = up ? 1 : -1;
    const value = (row) => (row[key] === null || row[key] === undefined ? Infinity * sign : row[key]);
    const order = (a, b) => (value(a) === value(b) ? 0 : sign * (value(a) < value(b) ? -1 : 1));
    const sorted = [...rows].sort((a, b) => order(a, b) || a.id - b.id);
    for (const head of this.table.tHead.rows[0].cells) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.body.replaceChildren(...sorted.map((row) => this.line(row)));
  }

  line(row) {
    const line = document.createElement("tr");
    line.dataset.id = row.id;
    line.tabIndex = 0;
    line.setAttribute("aria-selected", this.selected.has(row.id));
    for (const { key, text } of this.columns) {
      const cell = line.insertCell();
      if (key === "id") {
        const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: this.selected.has(row.id) });
        box.setAttribute("aria-label", `select instance ${row.id}`);
        const swatch = document.createElement("i");
        swatch.style.background = this.palette.css(row.id);
        cell.append(box, swatch, String(row.id));
      } else {
        cell.textContent = row[key] === null || row[key] === undefined ? "–" : text(row[key]);
        if (key === "distance" && row.close) cell.classList.add("close");
      }
    }
    return line;
  }

  select(ids, scroll = false) {
    this.selected = new Set(ids);
    for (const line of this.body.rows) {
      const chosen = this.selected.has(Number(line.dataset.id));
      line.setAttribute("aria-selected", chosen);
      line.querySelector("input").checked = chosen;
    }
    const first = scroll && this.body.querySelector('tr[aria-selected="true"]');
    if (!first) return;
    const pane = this.table.parentElement; // scrolls the pane alone, never the page
    const top = first.offsetTop - this.table.tHead.offsetHeight;
    if (top < pane.scrollTop || top + first.offsetHeight * 2 > pane.scrollTop + pane.clientHeight) pane.scrollTop = top;
  }

  clicked(event) {
    const line = event.target.closest("tr");
    if (line) this.toggle(Number(line.dataset.id), event.target.matches("input") || event.ctrlKey || event.metaKey || event.shiftKey);
  }

  toggle(id, gather) {
    const only = this.selected.size === 1 && this.selected.has(id);
    const ids = new Set(gather ? this.selected : []);
    if (gather && ids.has(id)) ids.delete(id);
    else if (!only || gather) ids.add(id);
    this.select(ids);
    this.on.select(ids);
  }

  pressed(event) {
    const line = event.target.closest("tr");
    if (!line || event.target.matches("input")) return;
    const step = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
    if (step) step.focus();
    else if (event.key === "Enter" || event.key === " ") this.toggle(Number(line.dataset.id), event.shiftKey || event.key === " ");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
