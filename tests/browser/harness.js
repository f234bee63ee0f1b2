// What a test of a page looks at and does there; see `tests/it/report_page.rs`.
"use strict";

const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const rgba = (colour) => colour.match(/[\d.]+/g).map(Number);

// The contrast of an element's text with what it stands on.
const contrast = (win, element) => {
  const ink = luminance(rgba(win.getComputedStyle(element).color));
  let ground = [255, 255, 255];
  for (let e = element; e; e = e.parentElement) {
    const c = rgba(win.getComputedStyle(e).backgroundColor);
    if (c[3] === undefined || c[3] === 1) {
      ground = c;
      break;
    }
  }
  const paper = luminance(ground);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
};

const look = (win = window) => {
  const doc = win.document;
  const all = (selector, root = doc) => [...root.querySelectorAll(selector)];
  for (const d of all("details")) d.open = true;
  const ids = all("[id]").map((e) => e.id);
  const texts = all("body *").filter(
    (e) => !e.closest("svg, script, style, noscript, [hidden]") && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()),
  );
  const dim = texts.filter((e) => contrast(win, e) < 4.5);
  return {
    width: doc.documentElement.clientWidth,
    scrollWidth: doc.documentElement.scrollWidth,
    charts: all(".chart svg").map((s) => s.getBoundingClientRect()).filter((r) => r.width > 0).map((r) => [r.width, r.height]),
    cropped: all(".chart").filter((c) => c.scrollWidth > c.clientWidth + 1).length,
    smallestText: Math.min(...all(".chart svg").filter((s) => s.clientWidth > 0).flatMap((s) =>
      all("text", s).map((t) => (parseFloat(t.getAttribute("font-size")) * s.clientWidth) / s.viewBox.baseVal.width))),
    unnamedCharts: all(".chart svg").filter((s) => !s.getAttribute("aria-label")).length,
    values: all(".chart .hover > *").length,
    tables: all("table").length,
    tablesOutsideBoxes: all("table").filter((t) => {
      const box = t.closest(".scroll").getBoundingClientRect();
      return box.right > doc.documentElement.clientWidth + 0.5 || box.left < 0;
    }).length,
    headsWithoutScope: all("th:not([scope])").length,
    duplicateIds: ids.filter((id, i) => ids.indexOf(id) !== i),
    brokenLinks: all("a[href^='#']").map((a) => a.getAttribute("href")).filter((h) => !doc.getElementById(h.slice(1))),
    requests: win.performance.getEntriesByType("resource").length,
    outside: all("[src], link[href], script[src]").map((e) => e.getAttribute("src") ?? e.getAttribute("href")),
    texts: texts.length,
    dim: dim.slice(0, 5).map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)} ${contrast(win, e).toFixed(2)}`),
    dark: win.matchMedia("(prefers-color-scheme: dark)").matches,
  };
};

const sorting = (win = window) => {
  const doc = win.document;
  const table = doc.querySelector("#key-figures table");
  if (!table) return null;
  const heads = [...table.tHead.rows[0].cells];
  const find = (label) => heads.findIndex((h) => h.textContent.trim() === label);
  const column = (i) => [...table.tBodies[0].rows].map((r) => r.cells[i].textContent.trim());
  const states = () => heads.map((h) => h.getAttribute("aria-sort")).filter((s) => s !== "none");
  const size = () => {
    const r = table.getBoundingClientRect();
    return [r.left, r.width, r.height];
  };
  const before = size();
  const click = (label) => {
    heads[find(label)].querySelector("button").click();
    return { cells: column(find(label)), states: states() };
  };
  const result = {
    costUp: click("cost a month"),
    costDown: click("cost a month"),
    hitRatioUp: click("hit ratio"),
    hitRatioDown: click("hit ratio"),
    policyUp: click("policy"),
    focusable: heads.every((h) => h.querySelector("button").tabIndex === 0),
  };
  return { ...result, shift: size().map((v, i) => v - before[i]) };
};
