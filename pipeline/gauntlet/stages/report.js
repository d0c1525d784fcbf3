"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  };
  const placeIn = (svg, event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };

  // Line charts: the nearest point of every line under the pointer.
  for (const svg of document.querySelectorAll("svg.chart")) {
    const series = JSON.parse(svg.dataset.series), cursor = svg.querySelector(".cursor");
    const clear = () => cursor.replaceChildren();
    svg.addEventListener("pointerleave", clear);
    svg.addEventListener("pointermove", event => {
      const [x, y] = placeIn(svg, event);
      const near = series.filter(line => line.points.length > 1).map(line => ({
        role: line.role,
        point: line.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a),
      }));
      clear();
      if (!near.length) return;
      const first = near.reduce((a, b) => Math.abs(b.point[1] - y) < Math.abs(a.point[1] - y) ? b : a);
      for (const { role, point } of near) make("circle", { cx: point[0], cy: point[1], r: 4, class: role }, cursor);
      const [px, py, vx, vy] = first.point, right = px > 300;
      const show = value => Number.isInteger(value) && value > 1 ? String(value) : value.toFixed(4);
      make("text", { x: px + (right ? -10 : 10), y: Math.max(26, py - 12), class: right ? "end" : "start" }, cursor,
        `${svg.dataset.x} ${show(vx)}, ${svg.dataset.y} ${show(vy)}`);
    });
  }

  // Parallel coordinates: ranges by drag or by key, the trial under the pointer, a readout.
  const svg = document.getElementById("parallel");
  if (svg) {
    const data = JSON.parse(document.getElementById("parallel-data").textContent);
    const { top, bottom, axes, trials } = data, ranges = axes.map(() => null);
    const paths = new Map([...svg.querySelectorAll(".trial")].map(path => [Number(path.dataset.trial), path]));
    const groups = [...svg.querySelectorAll(".axis")], readout = document.getElementById("parallel-readout");
    const reset = document.getElementById("parallel-reset");
    const inside = trial => ranges.every((range, i) =>
      !range || (trial.heights[i] !== null && trial.heights[i] >= range[0] && trial.heights[i] <= range[1]));
    const valueAt = (axis, height) => {
      const share = Math.min(1, Math.max(0, (bottom - height) / (bottom - top)));
      const value = axis.log ? axis.low * (axis.high / axis.low) ** share : axis.low + share * (axis.high - axis.low);
      return axis.name === "AUC" ? value.toFixed(4) : Number(value.toPrecision(3)).toString();
    };
    const describe = trial => `trial ${trial.index}: ` +
      axes.map((axis, i) => `${axis.name} ${trial.values[i]}`).join(", ");
    let kept = trials;
    const summary = () => {
      if (!ranges.some(Boolean)) {
        return `${trials.length} trials with a result. The best: ${describe(trials.find(t => t.index === data.best) || trials.at(-1))}`;
      }
      if (!kept.length) return `None of ${trials.length} trials lies in the chosen ranges.`;
      const best = kept.reduce((a, b) => b.auc > a.auc ? b : a);
      return `${kept.length} of ${trials.length} trials in range. The best of them: ${describe(best)}`;
    };
    const update = () => {
      kept = trials.filter(inside);
      const chosen = new Set(kept.map(trial => trial.index));
      for (const [index, path] of paths) path.classList.toggle("out", !chosen.has(index));
      groups.forEach((group, i) => {
        const range = ranges[i], brush = group.querySelector(".brush");
        brush.setAttribute("y", range ? range[0] : top);
        brush.setAttribute("height", range ? Math.max(0.1, range[1] - range[0]) : 0);
        const text = range ? `${valueAt(axes[i], range[1])} to ${valueAt(axes[i], range[0])}` : "no range chosen";
        group.setAttribute("aria-valuetext", text);
        const middle = range ? (range[0] + range[1]) / 2 : (top + bottom) / 2;
        group.setAttribute("aria-valuenow", Math.round(100 * (bottom - middle) / (bottom - top)));
      });
      reset.hidden = !ranges.some(Boolean);
      readout.textContent = summary();
    };
    const within = y => Math.min(bottom + 6, Math.max(top - 6, y));
    groups.forEach((group, i) => {
      const area = group.querySelector(".brush-area");
      let start = null;
      area.addEventListener("pointerdown", event => {
        start = within(placeIn(svg, event)[1]);
        area.setPointerCapture(event.pointerId);
        group.focus({ preventScroll: true });
        event.preventDefault();
      });
      area.addEventListener("pointermove", event => {
        if (start === null) return;
        const now = within(placeIn(svg, event)[1]);
        ranges[i] = Math.abs(now - start) < 4 ? null : [Math.min(start, now), Math.max(start, now)];
        update();
      });
      const stop = event => {
        if (start !== null && event.type === "pointerup" && Math.abs(within(placeIn(svg, event)[1]) - start) < 4) {
          ranges[i] = null;
          update();
        }
        start = null;
      };
      area.addEventListener("pointerup", stop);
      area.addEventListener("pointercancel", stop);
      group.addEventListener("keydown", event => {
        const step = (bottom - top) / 20, move = { ArrowUp: -step, ArrowRight: -step, ArrowDown: step, ArrowLeft: step }[event.key];
        if (event.key === "Escape" || event.key === "Delete") ranges[i] = null;
        else if (move === undefined) return;
        else {
          const quarter = (bottom - top) / 4, [low, high] = ranges[i] || [top - 6, top + quarter];
          if (!ranges[i]) ranges[i] = [low, high];
          else if (event.shiftKey) ranges[i] = [low, Math.max(low + step / 2, within(high + move))];
          else if (low + move >= top - 6.01 && high + move <= bottom + 6.01) ranges[i] = [low + move, high + move];
        }
        event.preventDefault();
        update();
      });
    });
    const light = nearest => {
      for (const path of paths.values()) path.classList.remove("lit");
      if (nearest) paths.get(nearest.index).classList.add("lit");
      readout.textContent = nearest ? `Under the pointer: ${describe(nearest)}` : summary();
    };
    svg.addEventListener("pointermove", event => {
      if (event.buttons) return;
      const [x, y] = placeIn(svg, event);
      const right = axes.findIndex(axis => axis.place >= x);
      if (right < 0 || y < top - 8 || y > bottom + 8) return light(null);
      const left = Math.max(0, right - 1), width = axes[right].place - axes[left].place || 1;
      const share = Math.min(1, Math.max(0, (x - axes[left].place) / width));
      let nearest = null, distance = 14;
      for (const trial of kept) {
        const [a, b] = [trial.heights[left], trial.heights[right]];
        if (a === null || b === null) continue;
        const away = Math.abs(a + share * (b - a) - y);
        if (away < distance) [nearest, distance] = [trial, away];
      }
      light(nearest);
    });
    svg.addEventListener("pointerleave", () => light(null));
    reset.addEventListener("click", () => { ranges.fill(null); update(); });
    update();
  }

  // The contents show where the reader is; folded parts are printed open.
  const links = new Map([...document.querySelectorAll("nav a")].map(a => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const watcher = new IntersectionObserver(entries => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const a of links.values()) a.removeAttribute("aria-current");
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    for (const section of document.querySelectorAll("main section")) watcher.observe(section);
  }
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });
})();
