/* A time series, drawn by uPlot: follows its box's width and the colour scheme, and keeps its data out of the DOM.
 *
 * `data`: [times (epoch seconds), …one array per series (null is a gap)]; `series`: [{label, color (token), value}].
 * For those who cannot see it the chart carries `summary`, a sentence. */

import { html, useEffect, useRef } from "./lib.js";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function Chart({ data, series, height = 190, unit = "", summary, min = 0, band = false }) {
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const node = box.current;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(node, series, height, unit, min, band), latest.current, node);
    };
    const fit = new ResizeObserver(() => {
      if (plot.current && plot.current.width !== node.clientWidth) plot.current.setSize({ width: node.clientWidth, height });
    });
    draw();
    fit.observe(node);
    addEventListener("themechange", draw);
    return () => { fit.disconnect(); removeEventListener("themechange", draw); plot.current?.destroy(); plot.current = null; };
  }, [series.map((one) => one.label).join(), unit, height]);

  useEffect(() => {
    plot.current?.setData(data);
    atRest(plot.current);
  }, [data]);
  return html`<div class="chart" ref=${box} role="img" aria-label=${summary}></div>`;
}

function options(node, series, height, unit, min, band) {
  const grid = { stroke: token("line"), width: 1 };
  const axis = { stroke: token("faint"), font: `11px ${token("sans")}`, grid, ticks: { show: false } };
  return {
    hooks: { ready: [atRest], setCursor: [atRest] },
    width: Math.max(120, node.clientWidth),
    height,
    padding: [8, 22, 0, 0],
    legend: { live: true },
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(min, low ?? 0), Math.max(high ?? 0, min + 1) * 1.08] } },
    axes: [
      { ...axis, size: 26, values: (_, ticks) => ticks.map((t) => timeLabel(t, ticks)) },
      { ...axis, size: 50, values: (_, ticks) => ticks.map((t) => `${t >= 1e4 ? `${t / 1000}k` : t}${unit}`) },
    ],
    series: [
      { value: (_, t) => (t == null ? "–" : new Date(t * 1000).toLocaleTimeString("en-GB")), label: "at" },
      ...series.map((one) => line(one, band)),
    ],
  };
}

/** Without a pointer on it, the legend tells the latest values. */
function atRest(plot) {
  if (!plot || plot.cursor.left >= 0) return;
  const latest = plot.data.slice(1).reduce((most, values) => Math.max(most, values.findLastIndex((v) => v != null)), 0);
  if (plot.legend.idxs?.[1] !== latest) plot.setLegend({ idx: latest });
}

function line({ label, color, value, dash }, band) {
  const stroke = token(color);
  return {
    label, stroke, dash, width: 1.6, points: { show: false }, spanGaps: false,
    fill: band ? `color-mix(in srgb, ${stroke} 14%, transparent)` : undefined,
    value: (_, v) => (v == null ? "–" : value ? value(v) : v),
  };
}

function timeLabel(t, ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 60;
  const text = new Date(t * 1000).toLocaleTimeString("en-GB");
  return step < 60 ? text : text.slice(0, 5);
}

/** A small line without axes, for headline numbers. Decoration: the number stands beside it. */
export function Spark({ values }) {
  const known = values.filter((v) => v != null);
  if (known.length < 2) return null;
  const top = Math.max(...known, 1e-9);
  const step = 64 / (values.length - 1);
  const points = values.map((v, i) => (v == null ? null : `${(i * step).toFixed(1)},${(20 - (18 * v) / top).toFixed(1)}`)).filter(Boolean);
  return html`<svg class="spark" viewBox="0 0 64 22" aria-hidden="true"><polyline points=${points.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" /></svg>`;
}
