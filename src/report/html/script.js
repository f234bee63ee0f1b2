"use strict";
(() => {
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
  for (const button of document.querySelectorAll("thead button")) button.onclick = () => sort(button.parentElement);

  // Charts: the value nearest to the pointer, or the next one by the arrow keys.
  const tip = document.getElementById("tip"), said = document.getElementById("said");
  let on = null;
  const hide = () => {
    on?.classList.remove("on");
    on = null;
    tip.hidden = true;
  };
  const show = (shape, text) => {
    if (shape === on) return;
    hide();
    on = shape;
    shape.classList.add("on");
    tip.textContent = text;
    tip.hidden = false;
    const at = shape.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const x = Math.min(at.right + 8, innerWidth - box.width - 8);
    const y = at.top - box.height - 6;
    tip.style.transform = `translate(${Math.max(8, x)}px, ${y < 8 ? at.bottom + 6 : y}px)`;
  };
  const REACH = 28;
  for (const chart of document.querySelectorAll(".chart")) {
    const shapes = [...chart.querySelectorAll(".hover > *")].map((shape) => {
      const title = shape.querySelector("title");
      const text = title?.textContent ?? "";
      title?.remove();
      const box = shape.getBBox();
      return { shape, text, box, x: box.x + box.width / 2, y: box.y + box.height / 2, point: shape.tagName === "circle" };
    });
    if (shapes.length === 0) continue;
    const svg = chart.querySelector("svg");
    const inside = (s, p) => p.x >= s.box.x && p.x <= s.box.x + s.box.width && p.y >= s.box.y && p.y <= s.box.y + s.box.height;
    const nearest = (p) => {
      let best = null, least = REACH;
      for (const s of shapes) {
        const d = s.point ? Math.hypot(s.x - p.x, s.y - p.y) : inside(s, p) ? REACH - 1 : Infinity;
        if (d < least) [best, least] = [s, d];
      }
      return best;
    };
    const look = (e) => {
      const s = nearest(new DOMPoint(e.clientX, e.clientY).matrixTransform(svg.getScreenCTM().inverse()));
      if (s) show(s.shape, s.text);
      else hide();
    };
    chart.addEventListener("pointermove", look);
    chart.addEventListener("pointerdown", look);
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")}: ${shapes.length} values, by the arrow keys`);
    const order = [...shapes].sort((a, b) => a.x - b.x || a.y - b.y);
    chart.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (e.key === "Escape") hide();
      if (!step) return;
      e.preventDefault();
      const i = order.findIndex((s) => s.shape === on);
      const n = order.length, s = order[i < 0 ? (step > 0 ? 0 : n - 1) : (i + step + n) % n];
      s.shape.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      show(s.shape, s.text);
      said.textContent = s.text;
    });
  }
  addEventListener("scroll", hide, { passive: true, capture: true });

  // Paper shows what is folded, except raw data.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.claim:not([open])")];
    for (const d of folded) d.open = true;
  });
  addEventListener("afterprint", () => {
    for (const d of folded) d.open = false;
  });
})();
