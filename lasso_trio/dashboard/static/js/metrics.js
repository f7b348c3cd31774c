/* The second tab: which provider answers what, how fast and how well; and a chain's numbers over time. */

import { html, useState } from "./lib.js";
import { usePolled } from "./data.js";
import { clock, count, ms, percent } from "./format.js";
import { Card, Segments, successTone, Table } from "./parts.js";
import { Series } from "./series.js";
import { chosenChain, Toolbar } from "./toolbar.js";

const FIGURES = [["p50_ms", "p50"], ["p90_ms", "p90"], ["p95_ms", "p95"], ["p99_ms", "p99"], ["avg_ms", "Mean"]];

export function Metrics({ live, place, profile }) {
  const chain = chosenChain(live.snapshot, place);
  const base = `/dashboard/api/${encodeURIComponent(profile)}`;
  const { data, error } = usePolled(chain ? `${base}/metrics/${encodeURIComponent(chain.chain)}` : null, 3000);
  const [range, setRange] = useState("5m");
  if (!chain) return html`<p class="empty">This profile has no chain.</p>`;
  return html`<${Toolbar} title="Metrics" tab="metrics" snapshot=${live.snapshot} chain=${chain} note=${data ? `as of ${clock(data.at)}` : error || "Loading."} />
    <div class="grid">
      <div class="stack w7">${data && html`<${Ranking} rows=${data.providers} /><${Matrix} data=${data} />`}</div>
      <div class="w5"><${Card} title="${chain.name} over time"><${Series} url="${base}/series/${encodeURIComponent(chain.chain)}" range=${range} setRange=${setRange} about=${chain.name} /><//></div>
    </div>`;
}

function Ranking({ rows }) {
  const warm = rows.filter((row) => !row.cold);
  const cold = rows.filter((row) => row.cold);
  return html`<${Card} title="Providers, best first" note="latency of answers, last 5 minutes at most; calls since start">
    <${Table} caption="Provider performance" empty="No provider has ten calls yet." rows=${warm.map((row) => ({ ...row, key: row.provider }))} columns=${COLUMNS} />
    ${cold.length > 0 && html`<h3 class="h3">Too few calls to rank</h3>
      <${Table} caption="Providers with fewer than ten calls" rows=${cold.map((row) => ({ ...row, key: row.provider, off: true }))} columns=${COLUMNS} />`}
  <//>`;
}

const COLUMNS = [
  { head: "Provider", cell: (row) => html`${row.cold ? "" : html`<span class="dim">${row.rank}.</span> `}${row.name}` },
  { head: "p50", num: true, cell: (row) => ms(row.p50_ms) },
  { head: "p95", num: true, cell: (row) => ms(row.p95_ms) },
  { head: "p99", num: true, cell: (row) => ms(row.p99_ms) },
  { head: "p99/p50", num: true, title: "How long the tail is: below 2 is even, above 5 is erratic", cell: (row) => (row.p99_to_p50 == null ? "–" : row.p99_to_p50.toFixed(1)), tone: (row) => (row.p99_to_p50 > 5 ? "bad" : row.p99_to_p50 > 2 ? "warn" : "") },
  { head: "Success", num: true, cell: (row) => (row.success_percent == null ? "–" : percent(row.success_percent / 100, 1)), tone: (row) => successTone(row.success_percent == null ? null : row.success_percent / 100) },
  { head: "Calls", num: true, cell: (row) => count(row.calls) },
  { head: "Score", num: true, title: "Success × speed × log of the calls, as the original ranks", cell: (row) => (row.cold ? "–" : row.score.toFixed(2)) },
];

/** Methods down, providers across. The best of a row is underlined; a slow (over 3 × the best) or failing one is washed,
 * and says so in its title. */
function Matrix({ data }) {
  const [figure, setFigure] = useState("p50_ms");
  const providers = [...data.providers].sort((a, b) => a.name.localeCompare(b.name));
  if (!data.methods.length) return html`<${Card} title="Methods and providers"><p class="empty">No method has been called yet.</p><//>`;
  return html`<${Card} title="Methods and providers" note="milliseconds · success · calls; the fastest is underlined" end=${html`<${Segments} label="Figure" options=${FIGURES} value=${figure} choose=${setFigure} />`}>
    <div class="scroll" tabindex="0" role="region" aria-label="Methods and providers"><table class="data matrix">
      <caption class="unseen">Latency of each method at each provider</caption>
      <thead><tr><th scope="col">Method</th><th scope="col" class="num">Calls</th>${providers.map((one) => html`<th scope="col" class="num" key=${one.provider}>${one.name}</th>`)}</tr></thead>
      <tbody>${data.methods.map((method) => html`<tr key=${method.method}><th scope="row"><code>${method.method}</code></th><td class="num">${count(method.calls)}</td>
        ${providers.map((one) => html`<${Cell} key=${one.provider} cell=${method.cells.find((cell) => cell.provider === one.provider)} figure=${figure} best=${best(method.cells, figure)} />`)}</tr>`)}</tbody>
    </table></div>
  <//>`;
}

const best = (cells, figure) => Math.min(...cells.map((cell) => cell[figure]).filter((value) => value != null));

function Cell({ cell, figure, best: fastest }) {
  if (!cell || !cell.calls) return html`<td class="cell dim">–</td>`;
  const value = cell[figure];
  const failing = cell.success_percent != null && cell.success_percent < 95;
  const slow = value != null && value > 3 * fastest && value - fastest > 5;
  const kind = failing ? "failing" : slow ? "slow" : value === fastest ? "best" : "";
  return html`<td class="cell ${kind}" title=${failing ? "fails more than one call in twenty" : slow ? "more than three times the best" : ""}>
    <b>${ms(value)}</b><small>${cell.success_percent == null ? "–" : percent(cell.success_percent / 100, 1)} · ${count(cell.calls)}${failing ? " · failing" : slow ? " · slow" : ""}</small></td>`;
}
