/* The first tab: headline numbers, who stands where, what is going on; and beside it the chain or provider one chose. */

import { html } from "./lib.js";
import { count, ms, NONE, percent, plural, rate } from "./format.js";
import { Spark } from "./chart.js";
import { Figure } from "./parts.js";
import { Topology } from "./topology.js";
import { Activity } from "./activity.js";
import { Issues } from "./issues.js";
import { Endpoints } from "./endpoints.js";
import { ChainPanel } from "./chain_panel.js";
import { ProviderPanel } from "./provider_panel.js";

export function Overview({ live, place, profile, profiles }) {
  const { snapshot } = live;
  const chain = snapshot.chains.find((one) => one.chain === place.chain);
  const provider = chain?.providers.find((one) => one.provider === place.provider);
  return html`
    <${Headline} snapshot=${snapshot} ticks=${live.ticks} issues=${live.issues} />
    <div class="grid overview">
      <div class="stack ${provider ? "w5" : "w7"}">
        <${Topology} snapshot=${snapshot} place=${place} />
        ${!provider && html`<${Endpoints} profile=${profile} profiles=${profiles} chain=${chain?.chain ?? snapshot.chains[0]?.chain} />`}
        ${provider && html`<${Activity} calls=${live.calls} snapshot=${snapshot} chain=${chain} provider=${provider} />`}
        ${chain && html`<${Issues} rows=${live.issues} snapshot=${snapshot} />`}
      </div>
      <div class="stack ${provider ? "w7" : "w5"}">
        ${provider ? html`<${ProviderPanel} key=${`${chain.chain}/${provider.provider}`} profile=${profile} chain=${chain} provider=${provider} profiles=${profiles} snapshot=${snapshot} />`
          : chain && html`<${ChainPanel} key=${chain.chain} profile=${profile} chain=${chain} />`}
        ${!provider && html`<${Activity} calls=${live.calls} snapshot=${snapshot} chain=${chain} />`}
        ${!chain && html`<${Issues} rows=${live.issues} snapshot=${snapshot} />`}
      </div>
    </div>`;
}

function Headline({ snapshot, ticks, issues }) {
  const h = snapshot.headline;
  const failing = h.error_percent ?? 0;
  return html`<dl class="figures headline" aria-label="Headline numbers">
    <${Figure} term="Calls per second" value=${rate(h.calls_per_second)} under=${`${count(h.calls_total)} since start`}><${Spark} values=${ticks.map((t) => t.calls_per_second)} /><//>
    <${Figure} term="Success (1 min)" value=${h.success_percent == null ? NONE : percent(h.success_percent / 100).replace(" %", "")} unit="%" tone=${failing > 5 ? "bad" : failing > 1 ? "warn" : ""} under=${`${count(h.errors_total)} failed since start`} />
    <${Figure} term="p50" value=${ms(h.p50_ms)} unit="ms" under="answers, last 5 min" />
    <${Figure} term="p95" value=${ms(h.p95_ms)} unit="ms"><${Spark} values=${ticks.map((t) => t.p95_ms)} /><//>
    <${Figure} term="p99" value=${ms(h.p99_ms)} unit="ms" under=${tail(h)} />
    <${Figure} term="Failovers (1 min)" value=${count(h.failovers_last_minute)} tone=${h.failovers_last_minute > 0 && h.failovers_last_minute > h.calls_last_minute / 20 ? "warn" : ""} under=${`${count(h.failovers_total)} since start`} />
    <${Figure} term="Races won" value=${count(h.hedges_won)} unit=${`of ${count(h.hedges_fired)}`} under=${`${percent((h.extra_calls_percent ?? 0) / 100, 1)} extra calls`} />
    <${Figure} term="Providers healthy" value=${count(h.providers_healthy)} unit=${`of ${count(h.providers_total)}`} tone=${h.providers_healthy === 0 ? "bad" : h.providers_healthy < h.providers_total ? "warn" : ""} under=${plural(recent(issues, snapshot.at), "warning") + " in 5 min"} />
  </dl>`;
}

const recent = (issues, at) => issues.filter((row) => row.level !== "info" && Date.parse(at) - Date.parse(row.at) < 300_000).length;
const tail = (h) => (h.p50_ms && h.p99_ms ? `${(h.p99_ms / h.p50_ms).toFixed(1)} × p50` : "");
