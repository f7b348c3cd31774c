/* One provider: what state it is in and why, how it got there, what is known of its limits, and its numbers. */

import { html, useState } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, lag, ms, percent, rate } from "./format.js";
import { MEANINGS, spoken } from "./health.js";
import { Pairs, Segments, Table } from "./parts.js";
import { Panel } from "./panel.js";
import { Series } from "./series.js";
import { Channels } from "./channels.js";
import { IssueList } from "./issues.js";
import { AdminActions } from "./admin.js";
import { go } from "./place.js";

export function ProviderPanel({ profile, chain, provider, profiles, snapshot }) {
  const url = `/dashboard/api/${encodeURIComponent(profile)}/chains/${encodeURIComponent(chain.chain)}/providers/${encodeURIComponent(provider.provider)}`;
  const { data, error } = usePolled(url, 2000);
  const above = html`<button type="button" class="link" onClick=${() => go("overview", chain.chain)}>${chain.name}</button><span class="dim" aria-hidden="true">/</span>`;
  return html`<${Panel} title=${provider.name} state=${provider.status} above=${above}>
    <p class="why-line">${spoken(provider.why) || MEANINGS[provider.status]}</p>
    <div class="two">
      <div><h3 class="h3">Now</h3><${Pairs} rows=${now(provider)} /></div>
      <div><h3 class="h3">Head</h3><${Pairs} rows=${head(provider, data)} /></div>
    </div>
    ${data ? html`<${Details} data=${data} />` : html`<p class="empty">${error || "Loading."}</p>`}
    <${Times} profile=${profile} chain=${chain} provider=${provider} methods=${data?.methods ?? []} />
    ${data && html`<${Methods} rows=${data.methods} />
      <${Connections} data=${data} />
      <h3 class="h3">Issues of this provider</h3><div class="inset"><${IssueList} rows=${data.issues} snapshot=${snapshot} /></div>`}
    ${profiles?.features?.admin && html`<${AdminActions} which=${`${profile}/${chain.chain}/${provider.provider}`} provider=${provider} />`}
  <//>`;
}

const now = (row) => [
  ["Attempts", `${rate(row.calls_per_second)}/s, ${row.traffic_percent == null ? "–" : row.traffic_percent.toFixed(1)} % of the chain`],
  ["Succeeded", row.success_percent == null ? "–" : percent(row.success_percent / 100)],
  ["p50 · p95 · p99", `${ms(row.p50_ms)} · ${ms(row.p95_ms)} · ${ms(row.p99_ms)} ms`],
  ["Since start", `${count(row.attempts_total)} attempts, ${count(row.failures_total)} failed, ${count(row.rate_limited_total)} refused for rate`],
  ["Priority", `${count(row.priority)}${row.archival ? ", archive" : ", no archive"}`],
];

const head = (row, data) => [
  ["Height", html`<b>${count(row.height)}</b>`],
  ["Lag", lag(row.lag)],
  data && ["Told", data.head.age_ms == null ? "never" : `${duration(data.head.age_ms)} ago`],
  data && ["Finalized", data.head.finalized == null ? "–" : count(data.head.finalized)],
  data && data.head.jumps_back > 0 && ["Jumped back", `${count(data.head.jumps_back)} times`],
  data?.probes && ["Probes", `${data.probes.status}, every ${duration(data.probes.interval_ms)}, ${count(data.probes.calls_last_hour)} in the last hour`],
  data?.probes?.last_error && ["Last probe error", data.probes.last_error],
];

function Details({ data }) {
  const learned = Object.entries(data.learned ?? {});
  return html`<${Channels} rows=${data.channel_details} />
    ${learned.length > 0 && html`<h3 class="h3">Learned limits</h3><${Pairs} rows=${learned.map(([kind, value]) => [kind.replaceAll("_", " "), typeof value === "number" ? count(value) : JSON.stringify(value)])} />`}`;
}

function Times({ profile, chain, provider, methods }) {
  const [range, setRange] = useState("5m");
  const [transport, setTransport] = useState("any");
  const [method, setMethod] = useState("");
  const names = [...new Set([...methods.map((row) => row.method), ...(method ? [method] : [])])].sort();
  const query = `provider=${encodeURIComponent(provider.provider)}${transport === "any" ? "" : `&transport=${transport}`}${method ? `&method=${encodeURIComponent(method)}` : ""}`;
  return html`
    <div class="series-head"><h3 class="h3">Method</h3><select aria-label="Method" value=${method} onChange=${(event) => setMethod(event.target.value)}>
      <option value="" selected=${!method}>all methods</option>${names.map((name) => html`<option key=${name} value=${name} selected=${name === method}>${name}</option>`)}</select></div>
    ${provider.channels.length > 1 && html`<div class="series-head"><h3 class="h3">Transport</h3><${Segments} label="Transport" options=${[["any", "Both"], ["http", "HTTP"], ["ws", "WS"]]} value=${transport} choose=${setTransport} /></div>`}
    <${Series} url="/dashboard/api/${encodeURIComponent(profile)}/series/${encodeURIComponent(chain.chain)}" query=${query} range=${range} setRange=${setRange} about=${provider.name} />`;
}

function Methods({ rows }) {
  return html`<h3 class="h3">By method and transport</h3>
    <${Table} caption="Latency by method and transport" empty="No call has been answered yet." rows=${rows.map((row) => ({ ...row, key: `${row.method} ${row.transport}` }))} columns=${[
      { head: "Method", cell: (row) => html`<code>${row.method}</code>` },
      { head: "Over", cell: (row) => row.transport },
      { head: "Calls", num: true, cell: (row) => count(row.calls) },
      { head: "Success", num: true, cell: (row) => (row.success_percent == null ? "–" : percent(row.success_percent / 100, 1)) },
      { head: "p50", num: true, cell: (row) => ms(row.p50_ms) }, { head: "p95", num: true, cell: (row) => ms(row.p95_ms) }, { head: "p99", num: true, cell: (row) => ms(row.p99_ms) },
    ]} />`;
}

/** The upstream WebSocket, feeds, and what supervision had to do. */
function Connections({ data }) {
  return html`
    ${data.keeper && html`<h3 class="h3">WebSocket</h3><${Pairs} rows=${[
      ["Connection", `${data.keeper.connected ? "open" : "closed"}${data.keeper.since_ms == null ? "" : ` for ${duration(data.keeper.since_ms)}`}`],
      ["Sessions", count(data.keeper.sessions)], ["Last ending", data.keeper.last_ending],
    ]} />`}
    ${data.feeds?.length > 0 && html`<h3 class="h3">Feeds</h3><${Table} caption="Feeds of this provider" rows=${data.feeds.map((feed) => ({ ...feed, key: feed.stream }))} columns=${[
      { head: "Stream", cell: (feed) => html`<code>${feed.stream}</code>` }, { head: "State", cell: (feed) => (feed.open ? "open" : "closed") },
      { head: "Late by", num: true, cell: (feed) => (feed.score_s == null ? "–" : duration(1000 * feed.score_s)) }]} />`}
    ${data.restarts?.length > 0 && html`<h3 class="h3">Supervised</h3><${Table} caption="Supervised tasks" rows=${data.restarts.map((row) => ({ ...row, key: row.child }))} columns=${[
      { head: "Task", cell: (row) => html`<code>${row.child}</code>` }, { head: "State", cell: (row) => row.state },
      { head: "Restarts", num: true, cell: (row) => count(row.restarts) }, { head: "Last error", cell: (row) => row.last_error ?? "" }]} />`}`;
}
