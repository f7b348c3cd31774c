/* The fourth tab: what hedging wins and what it costs. */

import { html } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, ms, percent } from "./format.js";
import { Card, Figure, Pairs, Share, Table } from "./parts.js";
import { Histogram } from "./histogram.js";
import { Toolbar } from "./toolbar.js";

const REASONS = {
  budget: "the budget was spent", deadline: "too little time was left", lonely: "there was nobody to race with",
};

export function Races({ live, profile }) {
  const { data, error } = usePolled(`/dashboard/api/${encodeURIComponent(profile)}/races`, 3000);
  const races = live.snapshot.races ?? {};
  const suppressed = Object.entries(races.suppressed ?? {});
  return html`<${Toolbar} title="Races" tab="races" snapshot=${live.snapshot} note=${error || "a late call is raced by a second one; the first answer counts"} />
    <dl class="figures" aria-label="Races in numbers">
      <${Figure} term="Races run" value=${count(races.fired)} under=${`${count(races.in_flight)} at this moment`} />
      <${Figure} term="Won by the second" value=${count(races.won)} under=${races.win_percent == null ? "" : `${percent(races.win_percent / 100, 1)} of them`} />
      <${Figure} term="In vain" value=${count(races.wasted)} under="the first came sooner after all" />
      <${Figure} term="Time saved" value=${races.saved_s == null ? "–" : duration(1000 * races.saved_s)} under="estimated, all winners together" />
      <${Figure} term="Extra calls" value=${races.extra_calls_percent == null ? "–" : races.extra_calls_percent.toFixed(2)} unit="%" under="what providers are asked on top" />
      <${Figure} term="Not raced" value=${count(suppressed.reduce((sum, [, n]) => sum + n, 0))} under=${suppressed.map(([why, n]) => `${why.replaceAll("_", " ")} ${count(n)}`).join(", ")} />
    </dl>
    <div class="grid spaced">${(data?.chains ?? []).map((chain) => html`<${ChainRaces} key=${chain.chain} row=${chain} calls=${data.calls?.[chain.chain] ?? chain.calls ?? data.calls} />`)}</div>`;
}

function ChainRaces({ row, calls }) {
  const edges = row.latency?.edges_ms ?? [];
  const sets = [["without a race", calls?.without_hedge], ["raced", calls?.with_hedge]].filter(([, set]) => set?.counts)
    .map(([label, set]) => ({ label, edges_ms: set.edges_ms ?? edges, counts: set.counts }));
  const compared = [["Not raced", calls?.without_hedge], ["Raced", calls?.with_hedge]].filter(([, set]) => set?.n > 0);
  return html`<div class="w6"><${Card} title=${row.chain} note="${count(row.fired)} races, ${count(row.won)} won">
    <h3 class="h3">Calls with and without a race, while somebody watches</h3>
    <${Histogram} sets=${sets} summary="Latency of raced calls and of the others" />
    <${Table} caption="Calls with and without a race" empty="" rows=${compared.map(([key, set]) => ({ key, ...set }))} columns=${[
      { head: "Calls", cell: (r) => r.key }, { head: "Number", num: true, cell: (r) => count(r.n) },
      { head: "p50 ms", num: true, cell: (r) => ms(r.p50_ms) }, { head: "p95 ms", num: true, cell: (r) => ms(r.p95_ms) }, { head: "p99 ms", num: true, cell: (r) => ms(r.p99_ms) }]} />
  <//></div>
  <div class="w6"><${Card} title="Budget and attempts of ${row.chain}">
    <${Pairs} rows=${[
      ["Budget", html`${count(row.budget_tokens)} more races may start now`],
      ["Not raced because", Object.entries(row.suppressed ?? {}).map(([why, n]) => html`<div>${REASONS[why] ?? why.replaceAll("_", " ")}: ${count(n)}</div>`)],
      ["Second was sooner", html`<${Share} share=${(row.win_percent ?? 0) / 100} label=${`${row.win_percent ?? 0} %`} />`],
    ]} />
    <h3 class="h3">All answered attempts, last five minutes</h3>
    <${Histogram} sets=${row.latency ? [{ label: "attempts", ...row.latency }] : []} summary="Latency of all attempts" />
  <//></div>`;
}
