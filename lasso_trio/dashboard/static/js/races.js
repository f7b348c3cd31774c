/* The fourth tab: what hedging wins and what it costs. */

import { html, useState } from "./lib.js";
import { usePolled } from "./data.js";
import { clock, count, duration, ms, percent } from "./format.js";
import { Card, Figure, Pairs, Share, Table } from "./parts.js";
import { Histogram } from "./histogram.js";
import { Timeline } from "./timeline.js";
import { Toolbar } from "./toolbar.js";

const REASONS = {
  budget: "the budget was spent", in_flight: "enough hedges were under way", nobody_else: "there was nobody else to ask",
  cooldown: "the others were throttled", deadline: "nobody would have answered in the time that was left",
  dispatches: "three had been asked already", not_admitted: "a breaker let nobody through", wide_range: "a range of many blocks is heavy to answer",
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
      <${Figure} term="Time saved" value=${races.saved_s == null ? "–" : duration(1000 * races.saved_s)} under="at least, all winners together" />
      <${Figure} term="Extra calls" value=${races.extra_calls_percent == null ? "–" : races.extra_calls_percent.toFixed(2)} unit="%" under="what providers are asked on top" />
      <${Figure} term="Not raced" value=${count(suppressed.reduce((sum, [, n]) => sum + n, 0))} under=${suppressed.map(([why, n]) => `${why.replaceAll("_", " ")} ${count(n)}`).join(", ")} />
    </dl>
    <div class="grid spaced">
      <div class="w6">${data && html`<${Compared} raced=${data.with_hedge} plain=${data.without_hedge} />`}</div>
      <div class="stack w6">${data && html`<${Recent} rows=${data.recent} />`}${(data?.chains ?? []).map((row) => html`<${ChainRaces} key=${row.chain} row=${row} />`)}</div>
    </div>`;
}

const SHOWN = 5;

/** The last races as time lines: who was late, who lost, and how long he had taken when he was given up. */
function Recent({ rows }) {
  const [all, setAll] = useState(false);
  const more = rows.length - SHOWN;
  return html`<${Card} title="Recent races" note="seen while a dashboard was open, newest first" end=${more > 0 && html`<button type="button" class="plain" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? "Fewer" : `${more} more`}</button>`}>
    ${rows.length === 0 && html`<p class="empty">None yet.</p>`}
    ${rows.slice(0, all ? rows.length : SHOWN).map((row) => html`<section class="race" key=${row.seq} aria-label="${row.method} at ${clock(row.at)}">
      <h3 class="h3"><time>${clock(row.at)}</time> <code>${row.method}</code> ${row.chain}, ${ms(row.ms)} ms${row.ok ? "" : ", failed"}</h3><${Timeline} outcome=${{ ...row, total_ms: row.ms }} /></section>`)}
  <//>`;
}

function Compared({ raced, plain }) {
  const sets = [["not raced", plain], ["raced", raced]].filter(([, set]) => set?.n > 0);
  return html`<${Card} title="With and without a race" note="calls seen while a dashboard was open, all profiles">
    <${Histogram} sets=${sets.map(([label, set]) => ({ label, ...set }))} summary="Latency of raced calls and of the others, as shares" />
    ${sets.length > 0 && html`<${Table} caption="Calls with and without a race" rows=${sets.map(([key, set]) => ({ key, ...set }))} columns=${[
      { head: "Calls", cell: (row) => row.key }, { head: "Number", num: true, cell: (row) => count(row.n) },
      ...["p50", "p95", "p99"].map((q) => ({ head: `${q} ms`, num: true, cell: (row) => ms(row[`${q}_ms`]) }))]} />`}
    <p class="dim">A race is run when the first is late, so raced calls are the slow ones: compare their tail with what it would have been, not with the others.</p>
  <//>`;
}

function ChainRaces({ row }) {
  const why = Object.entries(row.suppressed ?? {});
  const policy = row.policy ?? {};
  return html`<${Card} title="${row.chain}" note="${count(row.fired)} races, ${count(row.won)} won">
    <${Pairs} rows=${[
      ["Starts", policy.enabled === false ? "never, switched off" : policy.quantile && `when a call takes longer than ${percent(policy.quantile, 1)} of its kind`],
      ["Budget", `${count(Math.floor(row.budget_tokens))} more may start now${policy.budget_percent ? `, at most ${policy.budget_percent} % of calls` : ""}`],
      why.length > 0 && ["Not raced", why.map(([reason, n]) => html`<div>${REASONS[reason] ?? reason.replaceAll("_", " ")}: ${count(n)}</div>`)],
      ["Second was sooner", html`<${Share} share=${(row.win_percent ?? 0) / 100} label=${`${row.win_percent ?? 0} %`} />`],
    ]} />
    <h3 class="h3">All answered attempts, last five minutes</h3>
    <${Histogram} sets=${row.latency ? [{ label: "attempts", ...row.latency }] : []} summary=${`Latency of all attempts on ${row.chain}`} />
  <//>`;
}
