"use strict";
(() => {
  document.documentElement.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const { settings, measures, points, head, bare, replications, t, start } = JSON.parse(byId("data").textContent);
  const rows = [...byId("points").tBodies[0].rows];
  const sliders = settings.map((_, i) => byId(`setting-${i}`));
  const number = (at) => settings.reduce((n, s, i) => n * s.values.length + at[i], 0);
  const placesOf = (n) => {
    const at = [];
    for (let i = settings.length - 1; i >= 0; i--) {
      at[i] = n % settings[i].values.length;
      n = Math.floor(n / settings[i].values.length);
    }
    return at;
  };
  // Where the sliders stand, which measure is drawn, and the point that others are held against.
  let at = [...start], drawn = 0, pin = null;
  const words = (at) => settings.map((s, i) => `${s.name} ${s.values[at[i]]}`).join(", ");
  const text = (n, k) => rows[n].cells[settings.length + k].textContent;
  const why = (n) => rows[n].lastElementChild.textContent;
  const whyNot = (n) => rows[n].cells[settings.length].textContent;

  // Numbers as people read them; values themselves stand in the table as they were computed.
  const digits = (x, n = 3) => String(Number(x.toPrecision(n)));
  const count = (x) => {
    for (const [suffix, size] of [["B", 1e9], ["M", 1e6], ["k", 1e3]]) {
      if (Math.abs(x) >= 0.9995 * size) return digits(x / size) + suffix;
    }
    return digits(x);
  };
  const usd = (x) => {
    const few = x !== 0 && Math.abs(x) < 0.005 ? 4 : 2;
    return "$" + x.toLocaleString("en-US", { minimumFractionDigits: few, maximumFractionDigits: few });
  };
  const inUnit = {
    usd,
    share: (x) => `${digits(100 * x)}%`,
    ms: (x) => (x >= 1000 ? `${digits(x / 1000)} s` : `${digits(x)} ms`),
    s: (x) => `${count(x)} s`,
    count,
  };
  const inDifference = { ...inUnit, share: (x) => `${digits(100 * x)} points` };

  // What a measure is more at one point than at another: by replications, which met the same random numbers, where the
  // page carries them; else by the intervals of both.
  const contributions = ([mean, , , , more]) =>
    more === 0 ? Array(replications).fill(mean) : more.map((d) => (d === null ? NaN : mean + d));
  const difference = (a, b, k) => {
    const [x, y] = [points[a]?.v[k], points[b]?.v[k]];
    if (!x || !y) return { words: "not known at both" };
    const unit = measures[k].unit, by = x[0] - y[0];
    const size = (x) => inDifference[unit](Math.abs(x));
    const signed = (by < 0 ? "-" : by > 0 ? "+" : "") + size(by);
    const part = k === 0 && (points[a].part || points[b].part) ? ", not for the same work" : "";
    if (replications === 1) return { words: `${signed}: one replication${part}` };
    if (t === null) {
      if (x[1] === null || y[1] === null) return { words: `${signed}: no interval is known${part}` };
      const apart = x[0] - x[1] > y[0] + y[1] || x[0] + x[1] < y[0] - y[1];
      return { words: `${signed}: intervals ${apart ? "do not overlap" : "overlap"}${part}`, told: apart };
    }
    const [mine, other] = [contributions(x), contributions(y)];
    const d = mine.map((v, i) => v - other[i]);
    const n = d.length, mean = d.reduce((a, b) => a + b, 0) / n;
    const spread = Math.sqrt(d.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1) / n);
    const half = x[2] === null || y[2] === null ? NaN : Math.hypot(t * spread, x[3] + y[3]) + x[2] + y[2];
    if (!Number.isFinite(half)) return { words: `${signed}: no interval is known${part}` };
    // What rounding leaves of nothing is nothing.
    const least = 1e-6 * Math.max(Math.abs(x[0]), Math.abs(y[0]));
    if (Math.abs(by) <= least && half <= least) return { words: `the same${part}` };
    const told = Math.abs(by) > half;
    // Both in one unit have it once.
    const [more, unitOf] = signed.split(" "), [reach, unitOfHalf] = size(half).replace("$", "").split(" ");
    const known = unitOf === unitOfHalf ? [more, "±", reach, unitOf ?? ""].join(" ").trim() : `${signed} ± ${reach} ${unitOfHalf}`;
    return { words: `${known}${told || by === 0 ? "" : ": may be chance"}${part}`, told };
  };

  // The fragment: each setting by its value, the measure that is drawn, the pinned point. What is not known is ignored.
  const toParams = (at) => new URLSearchParams(settings.map((s, i) => [s.name, s.values[at[i]]]));
  const hash = () => {
    const params = toParams(at);
    if (drawn > 0) params.set("show", measures[drawn].name);
    if (pin !== null) params.set("pin", toParams(placesOf(pin)).toString());
    return `#${params}`;
  };
  const fromParams = (params, old) =>
    settings.map((s, i) => {
      const j = s.values.indexOf(params.get(s.name));
      return j < 0 ? old[i] : j;
    });
  const read = () => {
    const params = new URLSearchParams(location.hash.slice(1));
    at = fromParams(params, at);
    const k = measures.findIndex((m) => m.name === params.get("show"));
    if (k >= 0) drawn = k;
    const pinned = new URLSearchParams(params.get("pin") ?? "");
    if (settings.every((s) => s.values.includes(pinned.get(s.name)))) pin = number(fromParams(pinned, at));
  };
  let later = 0;
  const write = () => {
    // Browsers refuse hundreds of changes in a row, as a slider makes them that is dragged.
    clearTimeout(later);
    later = setTimeout(() => history.replaceState(null, "", hash()), 150);
  };

  const command = () => {
    // A number of requests that decides nothing at this point would be refused.
    const isBare = points[number(at)]?.bare === 1;
    const own = settings.flatMap((s, i) => (isBare && s.requests ? [] : [s.words[at[i]]]));
    return [isBare ? bare : head, ...own].join(" ");
  };
  const showPoint = () => {
    const n = number(at), point = points[n];
    settings.forEach((s, i) => {
      sliders[i].value = at[i];
      sliders[i].setAttribute("aria-valuetext", s.values[at[i]]);
      byId(`value-${i}`).textContent = s.values[at[i]];
    });
    const part = point !== null && point.part === 1;
    byId("say").textContent = point === null
      ? `${words(at)}: ${whyNot(n)}`
      : `${words(at)}: ${measures.map((m, k) => (m.said ? `${m.label} ${text(n, k)}` : "")).filter(Boolean).join(", ")}.`;
    byId("warning").textContent = part ? `The bill is not for the whole work: ${why(n)}` : "";
    byId("warning").hidden = !part;
    [...byId("figures").children].forEach((box, k) => {
      const [, value, less] = box.children;
      value.textContent = point === null ? "cannot be" : text(n, k);
      const compared = pin !== null && pin !== n && point !== null ? difference(n, pin, k) : null;
      less.hidden = compared === null;
      less.textContent = compared?.words ?? "";
      less.classList.toggle("told", Boolean(compared?.told));
    });
    byId("pinned").hidden = pin === null;
    byId("pinned").textContent = pin === null ? ""
      : pin === n ? `This point is pinned: ${words(placesOf(pin))}. Move a slider to compare.`
      : `Beneath each value: what it is more or less than at the pinned ${words(placesOf(pin))}.`;
    byId("pin").disabled = point === null || pin === n;
    byId("unpin").hidden = byId("back").hidden = pin === null;
    const cell = (numeric) => (value) => make("td", { className: numeric ? "n" : "", textContent: value });
    byId("invoice").hidden = point === null;
    byId("invoice").querySelector("tbody").replaceChildren(...(point?.bill ?? []).map(([item, used, included, amount]) =>
      make("tr", {}, make("th", { scope: "row", textContent: item }),
        ...[item === "plan fee" ? "" : count(used), item === "plan fee" ? "" : count(included), amount].map(cell(true)))));
    byId("command").textContent = point === null ? "No command: this point cannot be." : command();
    byId("copy").disabled = point === null;
    byId("link").value = location.href.split("#")[0] + hash();
    byId("said").textContent = "";
    rows.forEach((row, i) => row.classList.toggle("here", i === n));
  };

  // Charts: a measure along each setting, one mark for each point that was simulated and nothing between them.
  const svg = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  // All charts have the scale of all points, so that what a slider moves is seen.
  const scale = (k) => {
    const known = points.map((p) => p?.v[k]).filter(Boolean);
    const means = known.map((v) => v[0]), ends = known.map((v) => v[0] + (v[1] ?? 0));
    const most = Math.max(...ends, 0), least = Math.min(...means);
    const log = least > 0 && Math.max(...means) > 30 * least;
    if (log) {
      const [low, high] = [Math.log10(least) - 0.15, Math.log10(most) + 0.05];
      const ticks = [];
      for (let e = Math.floor(low); e <= high; e++) {
        for (const m of high - low > 3 ? [1] : [1, 3]) {
          const tick = m * 10 ** e;
          if (Math.log10(tick) >= low && Math.log10(tick) <= high) ticks.push(tick);
        }
      }
      return { log, ticks, place: (x) => (Math.log10(Math.max(x, 10 ** low)) - low) / (high - low) };
    }
    const top = most > 0 ? most * 1.05 : measures[k].unit === "share" ? 0.01 : 1;
    const rough = top / 4, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const ticks = [];
    for (let i = 0; i * step <= top; i++) ticks.push(i * step);
    return { log, ticks, place: (x) => Math.max(x, 0) / top };
  };
  const HEIGHT = 230, SIGNS = { part: "hollow: the bill is not for the whole work", not: "×: cannot be", none: "–: not known", ring: "dashed ring: pinned" };
  const draw = (i, seen) => {
    const holder = byId(`plot-${i}`), s = settings[i], m = measures[drawn];
    const width = Math.max(holder.clientWidth, 240), left = 62, right = 10, top = 18;
    const step = (width - left - right) / s.values.length;
    const room = Math.max(...s.values.map((v) => v.length)) * 7 + 8;
    // Names that have no room beside each other stand in two lines, and where that is not enough only some of them.
    const lines = room > step ? 2 : 1, every = Math.ceil(room / step / lines);
    const bottom = 28 + 16 * (lines - 1);
    const { ticks, place, log } = scale(drawn);
    const y = (x) => HEIGHT - bottom - place(x) * (HEIGHT - bottom - top);
    const x = (j) => left + (j + 0.5) * step;
    const told = [];
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img" });
    drawing.append(svg("rect", { class: "here", x: x(at[i]) - step / 2, y: top, width: step, height: HEIGHT - bottom - top }));
    for (const tick of ticks) {
      drawing.append(
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, inUnit[m.unit](tick)),
      );
    }
    const letters = Math.max(4, Math.floor((lines * every * step) / 7));
    s.values.forEach((value, j) => {
      const n = number(at.map((place, l) => (l === i ? j : place))), point = points[n], known = point?.v[drawn];
      const now = j === at[i] ? " now" : "";
      const shown = point === null ? whyNot(n) : text(n, drawn) + (point.part ? ` (${why(n)})` : "");
      told.push(`${value} ${shown}`);
      const mark = svg("g", {}, svg("title", {}, `${value}: ${shown}`));
      if (known) {
        if (known[1] > 0) {
          mark.append(svg("line", { class: `bar${now}`, x1: x(j), x2: x(j), y1: y(known[0] - known[1]), y2: y(known[0] + known[1]) }));
          for (const end of [known[0] - known[1], known[0] + known[1]]) {
            mark.append(svg("line", { class: `bar${now}`, x1: x(j) - 5, x2: x(j) + 5, y1: y(end), y2: y(end) }));
          }
        }
        if (point.part) seen.add("part");
        if (n === pin) seen.add("ring");
        if (n === pin) mark.append(svg("circle", { class: "ring", cx: x(j), cy: y(known[0]), r: 10 }));
        mark.append(svg("circle", { class: `dot${now}${point.part ? " part" : ""}`, cx: x(j), cy: y(known[0]), r: 5 }));
        if (now) {
          const anchor = x(j) > width - 60 ? "end" : x(j) < left + 40 ? "start" : "middle";
          const above = y(known[0] + (known[1] ?? 0)) - 9;
          const label = inUnit[m.unit](known[0]);
          mark.append(svg("text", { class: "now", x: x(j) + (above < 12 ? 12 : 0), y: above < 12 ? y(known[0]) + 4 : above, "text-anchor": above < 12 ? (x(j) > width - 90 ? "end" : "start") : anchor }, label));
        }
      } else {
        const sign = point === null ? "not" : "none";
        seen.add(sign);
        mark.append(svg("text", { class: now.trim(), x: x(j), y: HEIGHT - bottom - 6, "text-anchor": "middle" }, sign === "not" ? "×" : "–"));
      }
      if (now || (j % every === 0 && (every === 1 || Math.abs(j - at[i]) * step >= room))) {
        const name = value.length > letters ? `${value.slice(0, letters - 1)}…` : value;
        mark.append(svg("text", { class: now.trim(), x: Math.min(x(j), width - right - Math.min(name.length * 3.4, width / 3)), y: HEIGHT - bottom + 18 + 16 * (Math.floor(j / every) % lines), "text-anchor": "middle" }, name));
      }
      const hit = svg("rect", { class: "hit", x: x(j) - step / 2, y: 0, width: step, height: HEIGHT });
      hit.addEventListener("click", () => move(i, j));
      mark.append(hit);
      drawing.append(mark);
    });
    const others = settings.map((o, l) => (l === i ? "" : `${o.name} ${o.values[at[l]]}`)).filter(Boolean).join(", ");
    drawing.setAttribute("aria-label", `${m.label} along ${s.name}${others ? `, with ${others}` : ""}: ${told.join("; ")}`);
    holder.replaceChildren(drawing);
    return log;
  };
  const showCharts = () => {
    byId("show").value = measures[drawn].name;
    const seen = new Set();
    const log = settings.map((_, i) => draw(i, seen))[0];
    const signs = Object.entries(SIGNS).filter(([sign]) => seen.has(sign)).map(([, words]) => words);
    const bars = replications > 1 ? ["bars: 95% confidence"] : [];
    byId("legend").textContent = [`${measures[drawn].label}, ${log ? "on a logarithmic scale" : "from 0"}`, ...bars, ...signs].join("; ") + ".";
  };
  const show = () => {
    showPoint();
    showCharts();
  };
  const change = () => {
    show();
    write();
  };
  const move = (i, j) => {
    at[i] = j;
    change();
  };

  sliders.forEach((slider, i) => slider.addEventListener("input", () => move(i, Number(slider.value))));
  byId("show").addEventListener("change", (e) => {
    drawn = measures.findIndex((m) => m.name === e.target.value);
    change();
  });
  byId("pin").addEventListener("click", () => {
    pin = number(at);
    change();
    byId("unpin").focus();
  });
  byId("unpin").addEventListener("click", () => {
    pin = null;
    change();
    byId("pin").focus();
  });
  byId("back").addEventListener("click", () => {
    at = placesOf(pin);
    change();
  });
  const copy = async (what, content, holder) => {
    let done = true;
    try {
      await navigator.clipboard.writeText(content);
    } catch {
      // Without the right to: by what is selected.
      if (holder.select) holder.select();
      else getSelection().selectAllChildren(holder);
      done = document.execCommand("copy");
    }
    byId("said").textContent = done ? `${what} is copied.` : `${what} is selected: copy it by Ctrl+C.`;
  };
  byId("copy").addEventListener("click", () => copy("The command", command(), byId("command")));
  byId("share").addEventListener("click", () => copy("The link", byId("link").value, byId("link")));
  addEventListener("hashchange", () => {
    read();
    show();
  });
  // Folded on a screen; on paper what fits.
  const all = byId("all");
  all.open = false;
  addEventListener("beforeprint", () => { all.open = true; });
  addEventListener("afterprint", () => { all.open = false; });
  read();
  show();
  let width = byId("along").clientWidth;
  new ResizeObserver(() => {
    const now = byId("along").clientWidth;
    if (now !== width) showCharts();
    width = now;
  }).observe(byId("along"));
})();
