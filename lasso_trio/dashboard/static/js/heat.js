/* The heat strip: how answers were spread over latency in each interval. A column is an interval, a row a span of
 * milliseconds (slow at the top), a cell is darker the greater the share of that interval's answers. It shows what
 * percentiles hide: two humps, a slow minority, a bad minute. */

import { html } from "./lib.js";
import { count, ms } from "./format.js";
import { useWidth } from "./parts.js";

const LIMITS = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 10_000];
const CELL = 12;
const LEFT = 82;

export function HeatStrip({ data, about }) {
  const [box, width] = useWidth();
  const { rows, low, high } = folded(data.heat);
  const bands = high - low + 1;
  const step = (width - LEFT) / rows.length;
  const any = rows.some((row) => row.some(Boolean));
  return html`<figure ref=${box}>${any && html`
    <svg class="heat" width=${width} height=${bands * CELL + 4} role="img" aria-label=${`Spread of latencies of ${about}: most answers took ${label(busiest(rows))} ms`}>
      ${Array.from({ length: bands }, (_, band) => html`<text x=${LEFT - 6} y=${band * CELL + 10} text-anchor="end">${label(high - band)} ms</text>`)}
      ${rows.map((row, i) => cells(row, i, { low, high, step, at: data.t[i] }))}
    </svg>
    <figcaption class="heatkey"><span>Share of an interval's answers:</span>${[["h0", "few"], ["h1", ""], ["h2", "a fifth"], ["h3c", ""], ["h4", "half"], ["h5", "most"]].map(([kind, text]) => html`<span><i class=${kind}></i>${text}</span>`)}</figcaption>`}
  </figure>`;
}

function cells(row, i, { low, high, step, at }) {
  const sum = row.reduce((a, b) => a + b, 0);
  return row.slice(low, high + 1).map((n, j) => {
    const band = low + j;
    return html`<rect class=${shade(n, sum)} x=${LEFT + i * step} y=${(high - band) * CELL + 1} width=${Math.max(1, step - 1)} height=${CELL - 1.5} rx="1.5">${n > 0 && html`<title>${new Date(at * 1000).toLocaleTimeString("en-GB")}, ${label(band)} ms: ${count(n)} of ${count(sum)}</title>`}</rect>`;
  });
}

/** The server's many fine buckets, summed into the bands of LIMITS; `low`, `high`: the first and last that hold any. */
export function folded({ edges_ms: edges, rows: fine }) {
  const bandOf = edges.slice(0, -1).map((edge, j) => band((edge + edges[j + 1]) / 2));
  const last = LIMITS.length;
  const rows = fine.map((buckets) => {
    const row = new Array(last + 1).fill(0);
    buckets.forEach((n, j) => { row[bandOf[j] ?? last] += n; });
    return row;
  });
  const used = rows.reduce((sum, row) => sum.map((n, i) => n + row[i]), new Array(last + 1).fill(0));
  return { rows, low: Math.max(0, used.findIndex(Boolean)), high: Math.max(0, last - [...used].reverse().findIndex(Boolean)) };
}

const band = (value) => { const at = LIMITS.findIndex((limit) => value < limit); return at < 0 ? LIMITS.length : at; };
const label = (i) => (i === 0 ? `< ${LIMITS[0]}` : i === LIMITS.length ? `> ${LIMITS.at(-1)}` : `${ms2(LIMITS[i - 1])}–${ms2(LIMITS[i])}`);
const ms2 = (value) => (value < 100 ? String(value) : ms(value));

function busiest(rows) {
  const sums = rows.reduce((sum, row) => sum.map((n, i) => n + row[i]), new Array(LIMITS.length + 1).fill(0));
  return sums.indexOf(Math.max(...sums));
}

function shade(n, sum) {
  if (!n) return "none";
  const share = n / sum;
  return share < 0.05 ? "h0" : share < 0.15 ? "h1" : share < 0.3 ? "h2" : share < 0.5 ? "h3c" : share < 0.75 ? "h4" : "h5";
}
