/* Who stands where: each chain as a loop of rope, a strand to each of its providers.
 *
 * A strand is as thick as the provider's share of the traffic and moves while calls flow; it is broken where the breaker
 * is open. The strands repeat what the rows beside them say in words, so they are hidden from screen readers. Rows have
 * a fixed height (ROW, as in topology.css), which is what ties a strand's end to its row without measuring anything. */

import { html } from "./lib.js";
import { count, lag, ms, percent, plural, rate } from "./format.js";
import { MEANINGS, SEVERITY, spoken, WORDS } from "./health.js";
import { Card, Glyph, StateMark } from "./parts.js";
import { go } from "./place.js";

const ROW = 52;
const RADIUS = { xl: 50, lg: 46, md: 42, sm: 38 };

export function Topology({ snapshot, place }) {
  const total = snapshot.chains.reduce((sum, chain) => sum + chain.providers.length, 0);
  return html`<${Card} title="Chains and providers" note="${plural(snapshot.chains.length, "chain")}, ${plural(total, "provider")}">
    <div class="fans">${snapshot.chains.map((chain) => html`<${Fan} key=${chain.chain} chain=${chain} place=${place} />`)}</div>
    <${Legend} snapshot=${snapshot} />
  <//>`;
}

function Fan({ chain, place }) {
  const rows = chain.providers;
  const height = Math.max(rows.length * ROW, 108);
  const radius = RADIUS[chain.size] ?? 34;
  return html`<section class="fan" aria-label=${`Chain ${chain.name}`}>
    <h3>
      <button type="button" class="link" aria-current=${place.chain === chain.chain && !place.provider ? "true" : null} onClick=${() => go("overview", chain.chain)}>${chain.name}</button>
      <span class="dim">id ${chain.chain_id}</span> <${StateMark} state=${chain.status} />
      <span class="block" title="The height a majority of providers agrees on">block <b>${count(chain.consensus)}</b></span>
    </h3>
    <div class="strands">
      <svg class="rope" viewBox="0 0 190 ${height}" width="190" height=${height} aria-hidden="true" onClick=${() => go("overview", chain.chain)}>
        ${rows.map((row, i) => html`<${Strand} row=${row} from=${[60 + radius * 0.94, height / 2]} to=${[188, (i + 0.5) * (height / rows.length)]} />`)}
        <circle class="loop-under" cx="60" cy=${height / 2} r=${radius} />
        <circle class="loop" cx="60" cy=${height / 2} r=${radius} stroke=${chain.color || "currentColor"} />
        <text class="loop-rate" x="60" y=${height / 2 + 2}>${rate(chain.calls_per_second)}</text>
        <text class="loop-unit" x="60" y=${height / 2 + 17}>calls/s</text>
      </svg>
      <ul class="provider-rows">${rows.map((row) => html`<li key=${row.provider}><${Row} chain=${chain} row=${row} chosen=${place.chain === chain.chain && place.provider === row.provider} /></li>`)}</ul>
    </div>
  </section>`;
}

function Strand({ row, from: [x, y], to: [toX, toY] }) {
  const path = `M${x} ${y}C${x + 45} ${y} ${toX - 55} ${toY} ${toX} ${toY}`;
  const share = (row.traffic_percent ?? 0) / 100;
  const broken = SEVERITY[row.status] === 3 || row.cordoned;
  const speed = row.calls_per_second >= 20 ? "fast" : row.calls_per_second >= 2 ? "steady" : "slow";
  return html`<g class="strand s-${row.status}">
    <path d=${path} class=${broken ? "cut" : "line"} stroke-width=${broken ? 2 : 1.5 + 9 * share} />
    ${!broken && row.calls_per_second > 0 && html`<path d=${path} class="flow ${speed}" />`}
  </g>`;
}

function Row({ chain, row, chosen }) {
  const behind = row.status !== "lagging" && row.lag !== 0 && row.lag != null ? lag(row.lag) : null;
  const what = [spoken(row.why) || (row.status === "healthy" ? null : MEANINGS[row.status]), behind && row.why !== behind ? behind : null].filter(Boolean).join(" · ");
  return html`<button type="button" class="provider-row severity-${SEVERITY[row.status] ?? 1}" aria-current=${chosen ? "true" : null} onClick=${() => go("overview", chain.chain, row.provider)}>
    <span class="state s-${row.status}"><${Glyph} state=${row.status} /></span>
    <span class="who"><b>${row.name}</b><span class="transports">${row.channels.filter((c) => c.live).map((c) => c.transport).join(" ")}</span></span>
    <span class="says"><span class="state s-${row.status}">${WORDS[row.status] ?? row.status}</span>${what ? ` · ${what}` : row.status === "healthy" ? ` · ${lag(row.lag)}` : ""}</span>
    <span class="figures-small">
      <span><b>${rate(row.calls_per_second)}</b><i>calls/s</i></span>
      <span><b>${ms(row.p50_ms)}</b><i>p50 ms</i></span>
      <span class="more"><b>${ms(row.p95_ms)}</b><i>p95 ms</i></span>
      <span class="more"><b>${row.success_percent == null ? "–" : percent(row.success_percent / 100, 1)}</b><i>success</i></span>
    </span>
  </button>`;
}

/** Only the states that are on screen, so that it can be read. */
function Legend({ snapshot }) {
  const seen = [...new Set(["healthy", ...snapshot.chains.flatMap((chain) => chain.providers.map((row) => row.status))])];
  return html`<ul class="legend" aria-label="Legend">${seen.map((state) => html`<li key=${state}><${StateMark} state=${state} /> <span class="dim">${MEANINGS[state]}</span></li>`)}</ul>`;
}
