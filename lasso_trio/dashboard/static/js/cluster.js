/* The tab of a node that is one of many: who is there and who is not, and what each region sees of each provider. */

import { html, useState } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, lag, ms, percent, plural, rate } from "./format.js";
import { Card, Figure, Segments, StateMark, successTone, Table } from "./parts.js";
import { go } from "./place.js";
import { chosenChain, Toolbar } from "./toolbar.js";

export function Cluster({ live, place, profile }) {
  const chain = chosenChain(live.snapshot, place);
  const node = place.provider; // the third part of the address is a node here
  const wanted = node ? `?node=${encodeURIComponent(node)}` : "";
  const alone = live.snapshot.cluster == null;
  const url = chain && !alone ? `/dashboard/api/${encodeURIComponent(profile)}/cluster/${encodeURIComponent(chain.chain)}${wanted}` : null;
  const { data, error } = usePolled(url, 3000);
  if (alone) return html`<${Toolbar} title="Cluster" tab="cluster" snapshot=${live.snapshot} /><${Card} title="No cluster"><p class="empty">This node stands alone: CLUSTER_DNS_QUERY is not set.</p><//>`;
  if (!chain) return html`<p class="empty">This profile has no chain.</p>`;
  const note = data ? `${data.coverage.text} nodes in the picture` : error || "Loading.";
  return html`<${Toolbar} title="Cluster" tab="cluster" snapshot=${live.snapshot} chain=${chain} note=${note}>
      ${data && html`<${Whose} nodes=${data.nodes} node=${node} chain=${chain.chain} />`}<//>
    ${node && error && html`<p class="empty">${error}. <button type="button" class="link" onClick=${() => go("cluster", chain.chain)}>All nodes together</button></p>`}
    ${data && html`<${Problems} rows=${data.problems} />
      <${Totals} data=${data} node=${node} />
      <div class="grid spaced">
        <div class="w12"><${Nodes} rows=${data.nodes} /></div>
        <div class="w8"><${Sides} rows=${data.chains[0]?.providers ?? []} chain=${chain.name} /></div>
        <div class="w4"><${Regions} rows=${data.regions} /></div>
      </div>`}`;
}

/** Whose figures are shown: everybody's together, or one node's. */
function Whose({ nodes, node, chain }) {
  const ids = [...new Set(nodes.map((one) => one.id).filter(Boolean))];
  return html`<label class="dim">Figures of <select value=${node ?? ""} onChange=${(event) => go("cluster", chain, event.target.value)}>
    <option value="" selected=${!node}>all nodes together</option>
    ${ids.map((id) => html`<option key=${id} value=${id} selected=${id === node}>${id}</option>`)}</select></label>`;
}

const KINDS = { dns: "DNS fails", secret: "Another secret", clock: "Clocks differ", cluster: "Another cluster", version: "Another version", replay: "An old question", duplicate_id: "One id, several nodes" };

function Problems({ rows }) {
  return rows.map((row) => html`<div class="banner" role="alert" key=${`${row.kind} ${row.about}`}><b>${KINDS[row.kind] ?? row.kind}.</b>
    <span>${row.about}: ${row.detail}${row.age_ms == null ? "" : `, ${duration(row.age_ms)} ago`}</span></div>`);
}

function Totals({ data, node }) {
  const { coverage } = data;
  const chain = data.chains[0] ?? {};
  const tone = coverage.disconnected.length ? "bad" : coverage.responding < coverage.expected ? "warn" : "";
  const whose = node ? `of ${node}` : "of the nodes that respond";
  const missing = [...coverage.disconnected.map((id) => `${id} is gone`), ...coverage.unresponsive.map((id) => `${id} does not answer`)];
  return html`<dl class="figures" aria-label="The cluster in numbers">
    <${Figure} term="Nodes that respond" value=${coverage.text} tone=${tone} under=${missing.join(", ") || plural(data.regions.length, "region")} />
    <${Figure} term="Calls per second" value=${rate(chain.calls_per_second)} under=${whose} />
    <${Figure} term="Calls" value=${count(chain.total_calls)} under="since each node's start" />
    <${Figure} term="Success" value=${chain.success_rate == null ? "–" : percent(chain.success_rate)} tone=${successTone(chain.success_rate)} />
    ${[50, 95, 99].map((q) => html`<${Figure} term=${`p${q}`} value=${ms(chain[`p${q}_latency_ms`])} unit="ms" under=${q === 50 ? "all answers together" : ""} />`)}
  </dl>`;
}

function Nodes({ rows }) {
  return html`<${Card} title="Nodes" note="dead ones are remembered for a day">
    <${Table} caption="Nodes" rows=${rows.map((row) => ({ ...row, key: `${row.id} ${row.addresses.join(" ")}`, off: row.state === "disconnected" }))} columns=${COLUMNS} /><//>`;
}

const COLUMNS = [
  { head: "Node", cell: (row) => html`<b>${row.id ?? "not known"}</b>${row.self ? html` <span class="tag">this node</span>` : ""}` },
  { head: "State", cell: (row) => html`<${StateMark} state=${row.state} />` },
  { head: "For", num: true, cell: (row) => duration(row.since_ms) },
  { head: "Region", cell: (row) => row.region ?? "–" },
  { head: "Last seen", num: true, cell: (row) => (row.self ? "now" : row.answered_age_ms == null ? "never" : `${duration(row.answered_age_ms)} ago`) },
  { head: "Version", cell: (row) => row.version ?? "–" },
  { head: "Up", num: true, cell: (row) => (row.uptime_seconds == null ? "–" : duration(1000 * row.uptime_seconds)) },
  { head: "Takes calls", cell: (row) => (row.readiness == null ? "–" : row.readiness === "ready" ? "yes" : row.readiness.replaceAll("_", " ")) },
  { head: "Calls/s", num: true, cell: (row) => rate(row.calls_per_second) },
  { head: "Calls", num: true, cell: (row) => count(row.calls) },
  { head: "Address", cell: (row) => row.addresses.join(", ") || "–" },
  { head: "Why", cell: (row) => (row.reason ? `${row.reason.replaceAll("_", " ")}${row.failures ? `, ${count(row.failures)} in a row` : ""}` : "") },
];

/** Providers down, regions or nodes across: what each of them sees. Washed where it sees three times the best. */
function Sides({ rows, chain }) {
  const [by, setBy] = useState("region");
  const key = by === "region" ? "by_region" : "by_node";
  const sides = [...new Set(rows.flatMap((row) => row[key].map((one) => one[by] ?? "")))].sort();
  const choice = html`<${Segments} label="Side by side" options=${[["region", "Regions"], ["node", "Nodes"]]} value=${by} choose=${setBy} />`;
  return html`<${Card} title="${chain}, seen from each ${by}" note="p50 in ms · p95, success and calls below it" end=${choice}>
    ${rows.length === 0 ? html`<p class="empty">None of these nodes knows this chain.</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label="Providers side by side"><table class="data matrix">
      <caption class="unseen">Latency of each provider from each ${by}</caption>
      <thead><tr><th scope="col">Provider</th><th scope="col" class="num">All</th>${sides.map((side) => html`<th scope="col" class="num" key=${side}>${side || "no region"}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.id}><th scope="row">${row.name}${row.cold_start ? html`<small class="dim"> too few calls</small>` : ""}</th><${Cell} cell=${row} best=${null} />
        ${sides.map((side) => html`<${Cell} key=${side} cell=${row[key].find((one) => (one[by] ?? "") === side)} best=${best(row[key])} />`)}</tr>`)}</tbody>
    </table></div>`}
  <//>`;
}

const FEW = 10; // fewer calls say nothing

/** The lowest p50 of several sides; null when nobody has one. Pure. */
export function best(cells) {
  const known = cells.map((cell) => cell.p50_latency_ms).filter((value) => value != null);
  return known.length ? Math.min(...known) : null;
}

/** How a cell is to look beside the best of its row. Pure. */
export function kind(cell, fastest) {
  const p50 = cell.p50_latency_ms;
  if (cell.success_rate != null && cell.success_rate < 0.95 && cell.total_calls >= FEW) return "failing";
  if (fastest == null || p50 == null) return "";
  return p50 > 3 * fastest && p50 - fastest > 5 ? "slow" : p50 === fastest ? "best" : "";
}

function Cell({ cell, best: fastest }) {
  if (!cell || !cell.total_calls) return html`<td class="cell dim">–</td>`;
  const look = kind(cell, fastest);
  const success = cell.success_rate == null ? "–" : percent(cell.success_rate, 1);
  const behind = cell.lag ? ` · ${lag(cell.lag)}` : "";
  return html`<td class="cell ${look}"><b>${ms(cell.p50_latency_ms)}</b><small>${ms(cell.p95_latency_ms)} · ${success} · ${count(cell.total_calls)}${behind}${look === "slow" || look === "failing" ? ` · ${look}` : ""}</small></td>`;
}

function Regions({ rows }) {
  return html`<${Card} title="Regions" note="what stands before an id's first “-”"><${Table} caption="Regions" rows=${rows.map((row) => ({ ...row, key: row.region ?? "" }))} columns=${[
    { head: "Region", cell: (row) => row.region ?? "none" },
    { head: "Respond", num: true, cell: (row) => `${row.responding} of ${row.nodes}`, tone: (row) => (row.responding < row.nodes ? "bad" : "") },
    { head: "Calls/s", num: true, cell: (row) => rate(row.calls_per_second) },
  ]} /><//>`;
}
