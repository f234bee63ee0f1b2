// Opens a page (PAGE, a string set before this) at two widths, uses it as a reader would, and
// writes what was found into the document as JSON.
"use strict";
console.log("harness begins");

const open = (width) =>
  new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.style = `width: ${width}px; height: 900px; border: 0`;
    frame.onload = () => done(frame.contentWindow);
    frame.srcdoc = PAGE;
    document.body.append(frame);
  });

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

const look = (win) => {
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
    charts: all(".chart svg").map((s) => s.getBoundingClientRect()).map((r) => [r.width, r.height]),
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

const sorting = (win) => {
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

const pointing = (win) => {
  const doc = win.document;
  const chart = doc.querySelector(".chart");
  if (!chart) return null;
  const tip = doc.getElementById("tip");
  chart.scrollIntoView({ behavior: "instant" });
  const at = chart.querySelector(".hover circle, .hover rect").getBoundingClientRect();
  const where = { clientX: at.left + at.width / 2 + 3, clientY: at.top + at.height / 2, bubbles: true };
  chart.querySelector("svg").dispatchEvent(new win.PointerEvent("pointermove", where));
  const pointed = tip.hidden ? null : tip.textContent;
  const box = tip.getBoundingClientRect();
  chart.dispatchEvent(new win.PointerEvent("pointerleave"));
  const left = tip.hidden;
  chart.focus();
  const focused = doc.activeElement === chart;
  chart.dispatchEvent(new win.KeyboardEvent("keydown", { key: "ArrowRight" }));
  const first = doc.getElementById("said").textContent;
  chart.dispatchEvent(new win.KeyboardEvent("keydown", { key: "ArrowRight" }));
  return { pointed, left, focused, first, second: doc.getElementById("said").textContent, tip: [box.left, box.right, box.top, box.bottom] };
};

addEventListener("load", async () => {
  const result = document.createElement("pre");
  try {
    const [desk, phone] = [await open(1280), await open(390)];
    const found = { pointing: pointing(desk), sorting: sorting(desk), desk: look(desk), phone: look(phone) };
    result.textContent = JSON.stringify(found);
  } catch (e) {
    result.textContent = JSON.stringify({ error: `${e}\n${e.stack}` });
  }
  result.id = "found";
  document.body.replaceChildren(result);
});
