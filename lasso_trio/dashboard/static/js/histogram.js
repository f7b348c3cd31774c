/* Two distributions over the same latencies, as shares, so that few and many calls can be compared. Pure drawing. */

import { html } from "./lib.js";
import { count, ms } from "./format.js";
import { useWidth } from "./parts.js";

const HEIGHT = 150;

/** A set's counts over all `edges`: 0 where it has none. Pure. */
export function laid({ edges_ms: own, counts }, edges) {
  const at = new Map(own.slice(0, -1).map((edge, i) => [edge, counts[i]]));
  return edges.slice(0, -1).map((edge) => at.get(edge) ?? 0);
}

/** `sets`: [{label, edges_ms, counts}]; each a stretch of one and the same grid of edges. */
export function Histogram({ sets, summary }) {
  const [box, width] = useWidth();
  const used = sets.filter((set) => set?.counts?.some(Boolean));
  if (!used.length) return html`<p class="empty" ref=${box}>No call yet.</p>`;
  const edges = [...new Set(used.flatMap((set) => set.edges_ms))].sort((a, b) => a - b);
  const rows = used.map((set) => laid(set, edges));
  const first = Math.min(...rows.map((row) => row.findIndex(Boolean)));
  const last = Math.max(...rows.map((row) => row.findLastIndex(Boolean)));
  const shares = rows.map((row) => row.slice(first, last + 1).map((n) => n / row.reduce((a, b) => a + b, 0)));
  const top = Math.max(...shares.flat());
  const step = width / (last - first + 1);
  const bar = Math.max(1, step / used.length - 1.5);
  const ticks = [first, Math.round((first + last) / 2), last];
  return html`<div ref=${box}><svg class="hist" width=${width} height=${HEIGHT + 20} role="img" aria-label=${summary}>
    ${shares.map((row, which) => row.map((share, i) => share > 0 && html`<rect class=${which ? "b" : "a"} x=${i * step + which * (bar + 1)} width=${bar} y=${HEIGHT - (HEIGHT - 6) * (share / top)} height=${(HEIGHT - 6) * (share / top)}><title>${used[which].label}: ${ms(edges[first + i])}–${ms(edges[first + i + 1])} ms, ${count(rows[which][first + i])} calls</title></rect>`))}
    ${ticks.map((at, i) => html`<text x=${i === 0 ? 0 : i === 2 ? width : (at - first) * step} y=${HEIGHT + 14} text-anchor=${["start", "middle", "end"][i]}>${ms(edges[Math.min(at + (i === 2 ? 1 : 0), edges.length - 1)])} ms</text>`)}
  </svg>
  ${used.length > 1 && html`<p class="keys">${used.map((set, i) => html`<span><i class=${i ? "b" : "a"}></i>${set.label} (${count(set.counts.reduce((a, b) => a + b, 0))})</span>`)}</p>`}</div>`;
}
