/* A call's attempts on one axis of milliseconds: a lane each, filled for who answered, dashed for who was given
 * up: he would have taken at least that long. */

import { html } from "./lib.js";
import { ms } from "./format.js";
import { useWidth } from "./parts.js";

const LANE = 34;
const LEFT = 92;
const RIGHT = 96;
const ENDS = { won: "answered", lost: "given up", failed: "failed", outdone: "answered too" };

export function Timeline({ outcome }) {
  const [box, width] = useWidth();
  const lanes = outcome.timeline ?? [];
  const end = Math.max(outcome.total_ms, ...lanes.map((lane) => lane.end_ms ?? 0), 0.1);
  const x = (t) => LEFT + ((width - LEFT - RIGHT) * (t ?? 0)) / end;
  const height = lanes.length * LANE + 24;
  const fired = lanes.find((lane) => lane.kind === "hedge");
  return html`<div ref=${box}>${lanes.length > 0 && html`<svg class="timeline" width=${width} height=${height} role="img" aria-label=${told(lanes)}>
    ${ticks(end).map((t) => html`<g><line class="grid" x1=${x(t)} x2=${x(t)} y1="0" y2=${height - 20} /><text class="axis" x=${x(t)} y=${height - 5} text-anchor="middle">${Number(t.toPrecision(4))}</text></g>`)}
    ${fired && html`<line class="fire" x1=${x(fired.start_ms)} x2=${x(fired.start_ms)} y1="0" y2=${height - 20} />`}
    ${lanes.map((lane, i) => html`<${Lane} lane=${lane} y=${i * LANE} x=${x} width=${width} outcome=${outcome} />`)}
    <text class="axis" x=${width - 4} y=${height - 5} text-anchor="end">ms</text>
  </svg>`}</div>`;
}

function Lane({ lane, y, x, width, outcome }) {
  const kind = lane.end === "won" && !outcome.ok ? "failed" : lane.end;
  return html`<g>
    <text x="0" y=${y + 15}>${lane.provider}</text>
    <text class="axis" x="0" y=${y + 28}>${lane.kind === "hedge" ? "raced" : lane.kind}</text>
    <rect class="lane" x=${x(0)} y=${y + 7} width=${width - LEFT - RIGHT} height="16" rx="3" />
    <rect class=${kind} x=${x(lane.start_ms)} y=${y + 7} width=${Math.max(2, x(lane.end_ms) - x(lane.start_ms))} height="16" rx="3" />
    <text class="axis" x=${width - RIGHT + 8} y=${y + 15}>${lane.end === "failed" && lane.category ? words(lane.category) : ENDS[lane.end]}</text>
    <text class="axis" x=${width - RIGHT + 8} y=${y + 28}>${lane.end === "lost" ? "after " : ""}${ms(lane.took_ms)} ms</text>
  </g>`;
}

/** Round steps, at most six of them. */
export function ticks(end) {
  const rough = end / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}

const words = (category) => String(category).replaceAll("_", " ");

const told = (lanes) => lanes.map((lane) => `${lane.provider} was asked after ${ms(lane.start_ms)} ms and ${lane.end === "lost" ? "given up after" : lane.end === "failed" ? "failed after" : "answered after"} ${ms(lane.took_ms)} ms`).join("; ");
