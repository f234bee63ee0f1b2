"use strict";
(() => {
  document.documentElement.classList.add("js");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const said = document.getElementById("said"), tip = document.getElementById("tip");
  const button = (text, label, act) => {
    const b = make("button", { type: "button", textContent: text, onclick: () => act(b) });
    if (label) b.setAttribute("aria-label", label);
    return b;
  };
  // A button that stays pressed until it is pressed again.
  const toggle = (text, act) => {
    const b = button(text, "", () => {
      const on = b.getAttribute("aria-pressed") !== "true";
      b.setAttribute("aria-pressed", on);
      act(on);
    });
    b.setAttribute("aria-pressed", true);
    return b;
  };
  const save = (blob, name) => {
    const a = make("a", { href: URL.createObjectURL(blob), download: name });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
    said.textContent = `${name} is saved`;
  };

  // Tables: a click, Enter or Space on a column's head sorts by it, and again the other way.
  const key = (row, i, numeric) => {
    const cell = row.cells[i];
    const text = cell.dataset.v ?? cell.textContent.trim();
    return numeric ? parseFloat(text.replaceAll(",", "")) : text;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  const missing = (k) => k === "" || Number.isNaN(k);
  const sort = (th) => {
    const table = th.closest("table"), body = table.tBodies[0];
    const i = th.cellIndex, numeric = th.classList.contains("n");
    const down = th.getAttribute("aria-sort") === "ascending";
    for (const other of th.parentNode.cells) other.setAttribute("aria-sort", "none");
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [key(row, i, numeric), row]);
    rows.sort(([a], [b]) =>
      missing(a) || missing(b) ? missing(a) - missing(b) : down ? compare(b, a) : compare(a, b));
    body.append(...rows.map(([, row]) => row));
  };
  for (const head of all("thead th button")) head.onclick = () => sort(head.parentElement);

  // A table as CSV: numbers without thousands' commas, the half-width of an interval in a column of its own, and no
  // cell that a spreadsheet takes for a formula.
  const csv = (table) => {
    const heads = [...table.tHead.rows[0].cells], rows = [...table.tBodies[0].rows];
    const half = (cell) => cell.textContent.match(/ ± ([\d.,e+-]+)/)?.[1].replaceAll(",", "");
    const number = (cell) => cell.dataset.v ?? cell.textContent.split(" ± ")[0].replaceAll(",", "").trim();
    const columns = heads.flatMap((head, i) => {
      const hint = head.querySelector("button")?.title.split(":")[0];
      const name = hint || head.textContent.trim(), numeric = head.classList.contains("n");
      const text = (row) => row.cells[i].textContent.trim();
      const values = [name, ...rows.map((row) => (numeric ? number(row.cells[i]) : text(row)))];
      const halves = numeric && rows.some((row) => half(row.cells[i]));
      return halves ? [values, [`${name}_ci95`, ...rows.map((row) => half(row.cells[i]) ?? "")]] : [values];
    });
    const cell = (text) => {
      const safe = /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
      return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    return columns[0].map((_, i) => columns.map((c) => cell(c[i])).join(",") + "\n").join("");
  };
  for (const details of all("details.table")) {
    const table = details.querySelector("table");
    const title = details.querySelector("summary b").textContent;
    // Rows that the page does not hold are not downloaded either, which the button says.
    const cut = details.dataset.cut ? `, ${details.dataset.cut}` : "";
    const get = button(`CSV${cut}`, `Download as CSV: ${title}${cut}`, () =>
      save(new Blob([csv(table)], { type: "text/csv" }), `${details.id}.csv`));
    get.className = "get";
    details.querySelector("summary").after(get);
  }

  // Claims: a toggle for each verdict.
  const verdicts = document.getElementById("verdicts");
  for (const count of all("ul.strip li")) {
    const verdict = count.dataset.verdict;
    verdicts?.append(toggle(`${verdict} (${count.querySelector("b").textContent})`, (on) => {
      for (const claim of all(".claim")) if (claim.dataset.verdict === verdict) claim.hidden = !on;
      for (const part of all(".claims")) part.hidden = !part.querySelector(".claim:not([hidden])");
      const shown = all(".claim:not([hidden])").length;
      said.textContent = `${shown} claims are shown`;
    }));
    verdicts.hidden = false;
  }

  // Charts. Their values: what stands at which place of which line, in each form of the drawing.
  const forms = new Map();
  const hidden = { families: new Set(), lines: new Map() };
  const form = (svg) => {
    if (!forms.has(svg)) {
      const names = [...new Set(all(".line", svg).map((g) => g.dataset.name))].filter(Boolean);
      names.sort((a, b) => b.length - a.length);
      const shapes = all(".hover > *", svg).map((shape) => {
        const number = (name) => Number(shape.getAttribute(name));
        const lines = (shape.querySelector("title")?.textContent ?? "").split("\n").map((text) => ({
          text,
          name: names.find((n) => text.startsWith(`${n}: `)),
        }));
        shape.querySelector("title")?.remove();
        const point = shape.tagName === "circle";
        const box = point
          ? { x: number("cx"), y: number("cy"), width: 0, height: 0 }
          : { x: number("x"), y: number("y"), width: number("width"), height: number("height") };
        const at = shape.dataset.x === undefined ? null : Number(shape.dataset.x);
        return { shape, lines, box, x: box.x + box.width / 2, y: box.y + box.height / 2, point, at };
      });
      const axis = svg.querySelector(".hover")?.dataset.axis;
      forms.set(svg, { svg, shapes, axis });
    }
    return forms.get(svg);
  };
  const charts = all(".chart");
  for (const svg of all(".chart svg")) form(svg);
  const seen = (chart) => all("svg", chart).find((svg) => getComputedStyle(svg).display !== "none");
  const isHidden = (chart, line) => {
    const group = line.name && chart.querySelector(`.line[data-name="${CSS.escape(line.name)}"]`);
    return group && (hidden.families.has(group.dataset.family) || hidden.lines.get(chart)?.has(group.dataset.part));
  };
  const apply = () => {
    clear();
    for (const chart of charts) {
      for (const g of all(".line", chart)) {
        const off = hidden.families.has(g.dataset.family) ||
          (g.dataset.part !== "" && hidden.lines.get(chart)?.has(g.dataset.part));
        g.toggleAttribute("data-hid", Boolean(off));
      }
      for (const svg of all("svg", chart)) {
        for (const s of form(svg).shapes) {
          s.shown = s.lines.filter((line) => !isHidden(chart, line)).map((line) => line.text);
          s.shape.toggleAttribute("data-hid", s.shown.length === 0);
        }
      }
    }
  };

  // A crosshair: a line at a place of an axis, in all charts that have this axis, with the values there.
  let on = [], last = null;
  const clear = () => {
    for (const shape of on) shape.classList.remove("on");
    on = [];
    for (const cross of all(".cross")) cross.remove();
    for (const readout of all(".readout")) readout.textContent = "";
    tip.hidden = true;
    last = null;
  };
  const light = (shape) => {
    shape.classList.add("on");
    on.push(shape);
  };
  const there = (f, at) => f.shapes.filter((s) => s.at === at && s.shown.length > 0);
  const cross = (svg, x) => {
    const [, , , height] = svg.getAttribute("viewBox").split(" ");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: 0, y2: height, class: "cross" })) line.setAttribute(name, value);
    svg.insertBefore(line, svg.querySelector(".hover"));
  };
  const values = (shapes) => [...new Set(shapes.flatMap((s) => s.shown))];
  const link = (axis, at) => {
    for (const chart of charts) {
      const f = form(seen(chart));
      const shapes = f.axis === axis ? there(f, at) : [];
      for (const x of new Set(shapes.map((s) => s.x))) cross(f.svg, x);
      for (const s of shapes) light(s.shape);
      chart.parentElement.querySelector(".readout").textContent = values(shapes).join("   ·   ");
    }
  };
  const show = (f, s) => {
    if (last === s && !tip.hidden) return;
    clear();
    last = s;
    if (s.at !== null && f.axis) link(f.axis, s.at);
    light(s.shape);
    tip.textContent = s.shown.join("\n");
    tip.hidden = false;
    const at = s.shape.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const x = Math.min(at.right + 8, innerWidth - box.width - 8);
    const y = at.top - box.height - 6;
    tip.style.transform = `translate(${Math.max(8, x)}px, ${y < 8 ? at.bottom + 6 : y}px)`;
  };
  const REACH = 28;
  const inside = (s, p) => p.x >= s.box.x && p.x <= s.box.x + s.box.width && p.y >= s.box.y && p.y <= s.box.y + s.box.height;
  const nearest = (f, p) => {
    let best = null, least = REACH;
    for (const s of f.shapes.filter((s) => s.shown.length > 0)) {
      const d = s.point ? Math.hypot(s.x - p.x, s.y - p.y) : inside(s, p) ? REACH - 1 : Infinity;
      if (d < least) [best, least] = [s, d];
    }
    return best;
  };

  // A chart as PNG, twice as large as its file, light as on paper.
  const png = async (chart, file) => {
    const scale = seen(chart).dataset.scale;
    const svg = all("svg.wide", chart).find((s) => s.dataset.scale === scale) ?? seen(chart);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const copy = svg.cloneNode(true);
    for (const none of all(".hover, .cross, [data-hid]", copy)) none.remove();
    for (const [name, value] of Object.entries({ width: 2 * width, height: 2 * height })) copy.setAttribute(name, value);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await image.decode();
    const canvas = make("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.toBlob((blob) => save(blob, file.replace(/(\.svg)?$/, ".png")), "image/png");
  };

  const tools = (chart) => {
    const figure = chart.parentElement, title = chart.getAttribute("aria-label");
    const bar = make("div", { className: "tools" });
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Tools of: ${title}`);
    if (chart.querySelector("svg[data-off]")) {
      const scales = ["log", "linear"].map((scale) => button(scale, `${scale} scale`, () => {
        for (const svg of all("svg", chart)) svg.toggleAttribute("data-off", svg.dataset.scale !== scale);
        for (const b of scales) b.setAttribute("aria-pressed", b.textContent === scale);
        clear();
      }));
      const first = all("svg", chart).find((svg) => !("off" in svg.dataset)).dataset.scale;
      for (const b of scales) {
        b.className = "choice";
        b.setAttribute("aria-pressed", b.textContent === first);
      }
      bar.append(...scales);
    }
    const groups = all("svg.wide .line", chart);
    const parts = [...new Set(groups.map((g) => g.dataset.part))].filter(Boolean);
    if (parts.length > 1) {
      hidden.lines.set(chart, new Set());
      for (const part of parts) {
        bar.append(toggle(part, (shown) => {
          hidden.lines.get(chart)[shown ? "delete" : "add"](part);
          apply();
        }));
      }
    }
    const file = figure.querySelector(".file").textContent;
    bar.append(button("PNG", `Download as PNG: ${title}`, () => png(chart, file)));
    figure.append(bar);
    chart.after(make("p", { className: "readout" }));
  };
  for (const chart of charts) {
    tools(chart);
    const count = form(chart.querySelector("svg")).shapes.length;
    if (count === 0) continue;
    const look = (e) => {
      const f = form(seen(chart));
      const s = nearest(f, new DOMPoint(e.clientX, e.clientY).matrixTransform(f.svg.getScreenCTM().inverse()));
      if (s) show(f, s);
      else clear();
    };
    chart.addEventListener("pointermove", look);
    chart.addEventListener("pointerdown", look);
    chart.addEventListener("pointerleave", clear);
    chart.addEventListener("blur", clear);
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")}: ${count} values, by the arrow keys`);
    // Left and right: to the next place of the axis, with all values there; to the next bar or cell where there is none.
    chart.addEventListener("keydown", (e) => {
      if (e.key === "Escape") clear();
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const f = form(seen(chart));
      const shapes = f.shapes.filter((s) => s.shown.length > 0);
      const stops = [...new Set(shapes.map((s) => s.at ?? s))];
      const place = (stop) => (typeof stop === "number" ? [stop, 0] : [stop.x, stop.y]);
      stops.sort((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
      const now = last ? stops.findIndex((stop) => stop === last || stop === last.at) : -1;
      const n = stops.length;
      if (n === 0) return;
      const stop = stops[now < 0 ? (step > 0 ? 0 : n - 1) : (now + step + n) % n];
      const found = typeof stop === "number" ? there(f, stop) : [stop];
      found[0].shape.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      show(f, found[0]);
      tip.textContent = values(found).join("\n");
      said.textContent = values(found).join("; ");
    });
  }
  const families = new Map();
  for (const chart of charts) {
    for (const family of new Set(all("svg.wide .line", chart).map((g) => g.dataset.family))) {
      if (family) families.set(family, (families.get(family) ?? 0) + 1);
    }
  }
  const bar = document.getElementById("policies");
  const common = [...families].filter(([, n]) => n > 1 || charts.length === 1);
  if (common.length > 1) {
    bar.append(make("span", { className: "what", textContent: "Show" }));
    for (const [family] of common) {
      bar.append(toggle(family, (shown) => {
        hidden.families[shown ? "delete" : "add"](family);
        apply();
      }));
    }
    bar.hidden = false;
  }
  apply();
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
  addEventListener("resize", clear);

  // Paper shows what is folded, except raw data.
  let folded = [];
  addEventListener("beforeprint", () => {
    clear();
    folded = all("details.claim:not([open]), details.more:not([open])");
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => {
    for (const d of folded) d.open = false;
  });
})();
