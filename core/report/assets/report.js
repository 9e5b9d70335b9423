"use strict";
/* The page's own script: sorting and filtering of tables, drawing of charts, the case viewer. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text ?? "" });
  const number = new Intl.NumberFormat("en-US");

  /* Tables */
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const figure = Number(text.replaceAll(",", ""));
    return text !== "" && Number.isFinite(figure) ? figure : text;
  };
  const compare = (a, b) => {
    const numbers = typeof a === "number" && typeof b === "number";
    if (numbers) return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
        rows.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
        body.replaceChildren(...rows.map(([, row]) => row));
      });
    });
  }
  const filters = [...document.querySelectorAll("[data-filters]")];
  const filterTable = (id) => {
    const own = filters.filter((control) => control.dataset.filters === id && control.value !== "");
    let shown = 0;
    for (const row of byId(id).tBodies[0].rows) {
      row.hidden = !own.every((control) =>
        control.dataset.column
          ? row.cells[Number(control.dataset.column)].textContent === control.value
          : row.textContent.toLowerCase().includes(control.value.toLowerCase()));
      shown += !row.hidden;
    }
    byId(`${id}-count`).textContent = `${number.format(shown)} ${shown === 1 ? "case" : "cases"}`;
  };
  filters.forEach((control) => control.addEventListener("input", () => filterTable(control.dataset.filters)));

  /* Charts */
  const font = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
  const config = {
    background: "transparent", font, padding: 4, autosize: { type: "fit-x", contains: "padding" },
    view: { stroke: null },
    axis: { labelColor: "var(--soft)", titleColor: "var(--soft)", titleFontWeight: 400, gridColor: "var(--line)", domainColor: "var(--faint)",
      tickColor: "var(--faint)", labelFontSize: 11, titleFontSize: 12 },
    legend: { labelColor: "var(--ink)", titleColor: "var(--soft)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400 },
    title: { color: "var(--ink)", subtitleColor: "var(--soft)", fontSize: 12 },
  };
  const ERRORS_ONLY = 1; // vega.Error
  const draw = (place, spec) => window.vegaEmbed(place, spec, {
    actions: false, renderer: "svg", config, defaultStyle: false, tooltip: { disableDefaultStyle: true }, logLevel: ERRORS_ONLY })
    .then((result) => {
      place.dataset.drawn = "yes";
      // To who cannot see it the chart is one sentence; the tables beside it have the figures.
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", place.dataset.words ?? spec.description);
      place.querySelector("svg").setAttribute("aria-hidden", "true");
      return result;
    })
    .catch((error) => {
      place.textContent = `This chart could not be drawn: ${error.message}. ${place.dataset.words ?? ""}`;
      console.error(error);
    });
  for (const [id, spec] of Object.entries(data.charts)) {
    const place = byId(id);
    const start = () => draw(place, spec);
    // Only what comes into sight is drawn at once, so that a long page opens quickly.
    if ("IntersectionObserver" in window) {
      const observer = new IntersectionObserver((entries) => {
        if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); start(); }
      }, { rootMargin: "600px" });
      observer.observe(place);
      window.addEventListener("beforeprint", () => { if (!place.dataset.drawn) { observer.disconnect(); start(); } });
    } else start();
  }

  /* The case viewer */
  if (!data.cases.length) return;
  byId("viewer-box").hidden = false;
  const chart = byId("viewer-chart");
  const ROW = 84;
  const MINUTES = { name: "minutes", short: "min", seconds: 60 }, HOURS = { name: "hours", short: "h", seconds: 3600 };
  const MOST_IN_MINUTES = 48 * 3600;
  let unit = MINUTES;
  const shownTime = (seconds) => seconds / unit.seconds;
  const timeAxis = (last) => ({ title: last ? `${unit.name} since the case's start` : null, grid: true, labels: last, ticks: last, domain: last, tickCount: 8 });

  const windowRow = (case_, x, width) => {
    const [first] = case_.windows;
    const length = first ? first[1] - first[0] : 1;
    const step = case_.windows.length > 1 ? case_.windows[1][0] - first[0] : length;
    const lanes = Math.min(12, Math.max(1, Math.ceil(length / step)));
    return {
      width, height: 6 + 4 * lanes,
      title: { text: "windows", anchor: "start", frame: "group", offset: 3 },
      data: { values: case_.windows.map(([start, end], place) => ({ from: shownTime(start), to: shownTime(end), lane: place % lanes })) },
      mark: { type: "bar", height: 2.4, color: "var(--odd)" },
      encoding: {
        x: { field: "from", type: "quantitative", ...x, axis: timeAxis(false) }, x2: { field: "to" },
        y: { field: "lane", type: "ordinal", axis: null },
        tooltip: [{ field: "from", type: "quantitative", format: ".1f", title: `from (${unit.short})` }, { field: "to", type: "quantitative", format: ".1f", title: `to (${unit.short})` }],
      },
    };
  };
  const traceRow = (trace, x, width, last) => {
    const points = (times, values) => times.map((time, place) => ({ t: shownTime(time), v: values[place] }));
    const y = { field: "v", type: "quantitative", title: null, scale: { zero: false }, axis: { tickCount: 3, grid: false } };
    const time = { field: "t", type: "quantitative", ...x, axis: timeAxis(last) };
    const bounds = [trace.minimum, trace.maximum].filter((bound) => bound !== null).map((bound) => ({ v: bound }));
    const values = [...trace.raw_values, ...trace.signal_values];
    const low = Math.min(...values), high = Math.max(...values), room = Math.max(high - low, Math.abs(high) * .02, 1e-6) * .08;
    // The range is shown where it is near: a far bound would press the signal flat.
    const near = bounds.filter(({ v }) => v >= low - 8 * room && v <= high + 8 * room);
    const all = [low, high, ...near.map(({ v }) => v)];
    y.scale.domain = [Math.min(...all) - room, Math.max(...all) + room];
    y.scale.nice = false;
    const measure = trace.unit && trace.unit !== "–" ? ` (${trace.unit})` : "";
    return {
      width, height: ROW,
      title: { text: `${trace.name}${measure}`, anchor: "start", frame: "group", offset: 3 },
      layer: [
        { data: { values: trace.imputed.map(([start, end]) => ({ from: shownTime(start), to: shownTime(end) })) },
          mark: { type: "rect", color: "var(--imputed)" },
          encoding: { x: { field: "from", type: "quantitative", ...x, axis: timeAxis(last) }, x2: { field: "to" } } },
        { data: { values: near }, mark: { type: "rule", strokeDash: [4, 4], color: "var(--faint)", clip: true }, encoding: { y } },
        { data: { values: points(trace.raw_times, trace.raw_values) },
          mark: { type: "circle", size: 16, opacity: .85, color: "var(--raw)", clip: true }, encoding: { x: time, y } },
        { data: { values: points(trace.signal_times, trace.signal_values) },
          mark: { type: "line", interpolate: "step-after", strokeWidth: 1.4, color: "var(--accent)", clip: true }, encoding: { x: time, y } },
      ],
    };
  };
  let span = [0, 1];
  const viewerSpec = (case_) => {
    const width = Math.max(180, chart.clientWidth - 70);
    const x = { scale: { domain: span.map(shownTime), nice: false } };
    const zoom = { name: "zoom", select: { type: "interval", encodings: ["x"], zoom: "wheel![event.ctrlKey || event.shiftKey]" }, bind: "scales" };
    const rows = case_.traces.map((trace, place) => traceRow(trace, x, width, place === case_.traces.length - 1));
    const windows = windowRow(case_, x, width);
    windows.mark.clip = true;
    windows.params = [zoom];
    rows.forEach((row) => { row.layer[0].mark.clip = true; row.layer[0].params = [zoom]; });
    return {
      $schema: "https://vega.github.io/schema/vega-lite/v6.json",
      description: `Signals of case ${case_.case_id} over ${Math.round(shownTime(case_.seconds))} ${unit.name}`,
      spacing: 10, resolve: { scale: { x: "shared" } },
      vconcat: [...(case_.windows.length ? [windows] : []), ...rows],
    };
  };
  const words = (case_) => {
    const table = make("table");
    table.append(make("caption", "The same in figures"));
    const head = table.createTHead().insertRow();
    for (const name of ["Feature", "Samples", "Measured", "From"]) { const cell = make("th", name); cell.scope = "col"; head.append(cell); }
    const body = table.createTBody();
    for (const trace of case_.traces) {
      const row = body.insertRow();
      const name = make("th", trace.name); name.scope = "row"; row.append(name);
      for (const text of [number.format(trace.samples), `${(100 * trace.measured_share).toFixed(1)} %`, trace.sources.join(", ")]) row.append(make("td", text));
    }
    const box = make("div"); box.className = "scroll"; box.tabIndex = 0; box.setAttribute("role", "region"); box.setAttribute("aria-label", "The case in figures");
    box.append(table);
    const parts = [box];
    if (case_.imputed_features.length) parts.push(make("p", `Without a single sample, so imputed throughout: ${case_.imputed_features.join(", ")}.`));
    if (case_.window_step > 1) parts.push(make("p", `Of the windows, one in ${case_.window_step} is drawn.`));
    if (case_.remarks.length) { const list = make("ul"); list.append(...case_.remarks.map((text) => make("li", text))); parts.push(list); }
    byId("viewer-words").replaceChildren(...parts);
  };
  let shown = 0, view = null, turn = 0;
  const show = async (place, from = 0, to = Infinity) => {
    const mine = ++turn;
    shown = (place + data.cases.length) % data.cases.length;
    const case_ = data.cases[shown];
    unit = case_.seconds > MOST_IN_MINUTES ? HOURS : MINUTES;
    span = [Math.max(0, from), Math.min(case_.seconds, to)];
    const select = byId("viewer-case");
    if (select) select.value = String(shown);
    byId("viewer-title").textContent = `Case ${case_.case_id}, ${(case_.seconds / 3600).toFixed(1)} h, ${number.format(case_.window_count)} windows; ${case_.why}`;
    words(case_);
    if (!case_.traces.length) { chart.textContent = "No feature has a sample."; return; }
    delete chart.dataset.drawn;
    const result = await draw(chart, viewerSpec(case_));
    if (mine === turn) { view?.finalize(); view = result; chart.dataset.shown = case_.case_id; chart.dataset.span = span.map(Math.round).join("-"); }
    else result?.finalize();
  };
  byId("viewer-case")?.addEventListener("change", (event) => show(Number(event.target.value)));
  byId("viewer-previous")?.addEventListener("click", () => show(shown - 1));
  byId("viewer-next")?.addEventListener("click", () => show(shown + 1));
  byId("viewer-reset").addEventListener("click", () => show(shown));
  // For the keyboard and for fingers: [width of the next span, its shift], in spans.
  for (const [id, [width, shift]] of Object.entries({ "in": [.5, 0], "out": [2, 0], earlier: [1, -.5], later: [1, .5] })) {
    byId(`viewer-${id}`).addEventListener("click", () => {
      const all = data.cases[shown].seconds, length = Math.min(all, Math.max(30, (span[1] - span[0]) * width));
      const middle = (span[0] + span[1]) / 2 + shift * (span[1] - span[0]);
      const start = Math.min(Math.max(0, middle - length / 2), all - length);
      show(shown, start, start + length);
    });
  }
  for (const link of document.querySelectorAll("[data-view]")) {
    link.addEventListener("click", () => show(data.cases.findIndex((case_) => case_.case_id === link.dataset.view)));
  }
  let waiting = 0, width = chart.clientWidth;
  window.addEventListener("resize", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => { if (chart.clientWidth !== width) { width = chart.clientWidth; show(shown); } }, 250);
  });
  const first = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) { first.disconnect(); if (!chart.dataset.shown) show(shown); }
  }, { rootMargin: "400px" });
  first.observe(byId("viewer-box"));
  window.addEventListener("beforeprint", () => { if (!chart.dataset.shown) show(shown); });
})();
