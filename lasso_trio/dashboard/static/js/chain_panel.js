/* One chain: heads, who gets the traffic, its numbers over time. */

import { html, useState } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, ms, percent, rate } from "./format.js";
import { Card, Pairs, Share, StateMark, Table } from "./parts.js";
import { Panel } from "./panel.js";
import { Series } from "./series.js";

export function ChainPanel({ profile, chain }) {
  const [range, setRange] = useState("5m");
  const url = `/dashboard/api/${encodeURIComponent(profile)}/chains/${encodeURIComponent(chain.chain)}`;
  const { data } = usePolled(url, 2000);
  return html`<${Panel} title=${chain.name} state=${chain.status}>
    <div class="two">
      <div><h3 class="h3">Head</h3><${Pairs} rows=${heads(chain, data?.head)} /></div>
      <div><h3 class="h3">Now</h3><${Pairs} rows=${[
        ["Calls", `${rate(chain.calls_per_second)}/s, ${count(chain.calls_total)} since start`],
        ["Succeeded", chain.success_percent == null ? null : percent(chain.success_percent / 100)],
        ["p50 · p95 · p99", `${ms(chain.p50_ms)} · ${ms(chain.p95_ms)} · ${ms(chain.p99_ms)} ms`],
        ["Failovers", `${count(chain.failovers_last_minute)} in the last minute`],
        ["Streams", `${count(chain.streams)}, ${count(chain.subscribers)} subscribers`],
        ["Strategy", chain.default_strategy],
        data?.last_call && ["Last call", html`<code>${data.last_call.method}</code> → ${data.last_call.provider ?? "nobody"}, ${data.last_call.reason}, ${ms(data.last_call.ms)} ms`],
      ]} /></div>
    </div>
    <h3 class="h3">Who answered in the last minute</h3>
    <${Distribution} rows=${data?.distribution ?? []} />
    <${Series} url="/dashboard/api/${encodeURIComponent(profile)}/series/${encodeURIComponent(chain.chain)}" range=${range} setRange=${setRange} about=${chain.name} />
  <//>`;
}

const heads = (chain, head) => [
  ["Consensus", html`<b>${count(chain.consensus)}</b>`],
  ["Tip", count(chain.tip)],
  ["Safe", chain.safe == null ? null : count(chain.safe)],
  ["Finalized", count(chain.finalized)],
  ["Block time", `${duration(chain.block_time_ms)}${head?.block_time_measured ? ", measured" : ""}`],
  ["Forgives a lag of", chain.max_lag_blocks == null ? "any" : `${count(chain.max_lag_blocks)} blocks`],
  head && ["Rollbacks", count(head.rollbacks)],
];

function Distribution({ rows }) {
  const used = rows.some((row) => row.share_percent != null) ? rows : [];
  return html`<${Table} caption="Share of calls per provider" empty="No traffic in the last minute." rows=${used.map((row) => ({ ...row, key: row.provider }))} columns=${[
    { head: "Provider", cell: (row) => row.provider },
    { head: "Share", cell: (row) => html`<${Share} share=${(row.share_percent ?? 0) / 100} label=${`${row.share_percent ?? 0} %`} />` },
    { head: "%", num: true, cell: (row) => (row.share_percent ?? 0).toFixed(1) },
    { head: "Calls", num: true, cell: (row) => count(row.calls) },
  ]} />`;
}
