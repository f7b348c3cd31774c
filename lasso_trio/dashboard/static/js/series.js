/* Latency and traffic over five minutes, an hour or a day, and the heat strip of the same time. */

import { html, useMemo } from "./lib.js";
import { usePolled } from "./data.js";
import { ms } from "./format.js";
import { Chart } from "./chart.js";
import { HeatStrip } from "./heat.js";
import { Segments } from "./parts.js";

export const RANGES = [["5m", "5 min"], ["1h", "1 h"], ["24h", "24 h"]];
const EVERY_MS = { "5m": 2500, "1h": 15_000, "24h": 60_000 };
const LATENCY = [
  { label: "p50 ms", color: "series-1", value: ms },
  { label: "p95 ms", color: "series-2", value: ms },
  { label: "p99 ms", color: "series-3", value: ms, dash: [4, 3] },
];
const CALLS = [{ label: "calls/s", color: "series-1", value: (v) => v.toFixed(1) }];
const LAG = [{ label: "blocks behind", color: "series-4" }];

/** `query`: further parts of the question, e.g. "provider=alpha&transport=http". */
export function Series({ url, query = "", range, setRange, about }) {
  const { data, error } = usePolled(`${url}?range=${range}${query && `&${query}`}`, EVERY_MS[range]);
  const latency = useMemo(() => (data ? [data.t, data.p50_ms, data.p95_ms, data.p99_ms] : null), [data]);
  const calls = useMemo(() => (data ? [data.t, data.calls_per_second] : null), [data]);
  const lags = useMemo(() => (data?.lag ? [data.t, data.lag.map((v) => (v == null ? null : Math.max(0, -v)))] : null), [data]);
  const empty = !data || data.t.length === 0;
  return html`<div class="series">
    <div class="series-head"><h3 class="h3">Over time</h3><${Segments} label="Time range" options=${RANGES} value=${range} choose=${setRange} /></div>
    ${empty ? html`<p class="empty">${error || (data ? "No call yet." : "Loading.")}</p>` : html`
      <${Chart} data=${latency} series=${LATENCY} height=${170} summary=${summary(about, range, data)} />
      <${HeatStrip} data=${data} about=${about} />
      <${Chart} data=${calls} series=${CALLS} height=${110} band summary=${`Calls per second of ${about} over ${range}`} />
      ${lags?.[1].some((v) => v > 0) ? html`<${Chart} data=${lags} series=${LAG} height=${90} band summary=${`Blocks ${about} was behind over ${range}`} />` : null}`}
  </div>`;
}

function summary(about, range, data) {
  const last = (values) => [...values].reverse().find((v) => v != null);
  return `Latency of ${about} over ${range}: latest median ${ms(last(data.p50_ms))} ms, 95th percentile ${ms(last(data.p95_ms))} ms`;
}
