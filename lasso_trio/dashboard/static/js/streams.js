/* The third tab: what clients subscribe to, which feeds it is made of, and what had to be repaired. */

import { html } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, ms } from "./format.js";
import { Card, Figure, StateMark, Table } from "./parts.js";
import { Toolbar } from "./toolbar.js";

export function Streams({ live, profile }) {
  const { data, error } = usePolled(`/dashboard/api/${encodeURIComponent(profile)}/streams`, 2000);
  const totals = live.snapshot.streams ?? {};
  const rows = (data?.chains ?? []).flatMap((chain) => chain.streams.map((stream) => ({ ...stream, chain: chain.chain, key: `${chain.chain} ${stream.key}` })));
  return html`<${Toolbar} title="Streams" tab="streams" snapshot=${live.snapshot} note=${error} />
    <dl class="figures" aria-label="Streams in numbers">
      <${Figure} term="Streams" value=${count(totals.streams)} under="each fed once, whatever the number of clients" />
      <${Figure} term="Subscribers" value=${count(totals.subscribers)} under=${`${count(totals.clients)} clients connected`} />
      <${Figure} term="Gaps filled" value=${count(totals.filled)} under="events fetched after a failure" />
      <${Figure} term="Gaps left" value=${count(totals.gaps)} tone=${totals.gaps > 0 ? "bad" : ""} under="could not be filled" />
      <${Figure} term="Feed failovers" value=${count(totals.failovers)} />
      <${Figure} term="Slow clients" value=${count(totals.slow_clients)} tone=${totals.slow_clients > 0 ? "warn" : ""} under=${data?.clients?.behind == null ? "closed, they did not read" : `closed; ${count(data.clients.behind)} are behind now`} />
      <${Figure} term="Fan-out lag" value=${ms(data?.fanout?.p99_ms)} unit="ms" under=${data?.fanout?.events ? `p99 to the last of a crowd; ${count(data.fanout.waiting)} under way` : "no crowd above fifty yet"} />
    </dl>
    <div class="grid spaced">
      <div class="stack w8"><${Card} title="Subscriptions">
        <${Table} caption="Streams" empty="Nobody is subscribed. wscat -c on a WebSocket URL, then eth_subscribe." rows=${rows} columns=${COLUMNS} /><//>
        <${Card} title="Feeds"><${Feeds} rows=${rows} /><//></div>
      <div class="w4"><${Card} title="Clients"><${Clients} rows=${data?.clients ?? {}} /><//></div>
    </div>`;
}

const COLUMNS = [
  { head: "Stream", cell: (row) => html`<code>${row.kind ?? row.key}</code>${row.key !== row.kind ? html` <span class="dim">${row.key}</span>` : ""}` },
  { head: "Chain", cell: (row) => row.chain },
  { head: "State", cell: (row) => html`<${StateMark} state=${row.live ? "healthy" : "reconnecting"} word=${row.live ? "Live" : "Waiting"} />` },
  { head: "Clients", num: true, cell: (row) => count(row.members) },
  { head: "Events", num: true, cell: (row) => count(row.events) },
  { head: "Filled", num: true, cell: (row) => count(row.filled) },
  { head: "Repaired", num: true, cell: (row) => count(row.repaired) },
  { head: "Gaps", num: true, cell: (row) => count(row.gaps), tone: (row) => (row.gaps > 0 ? "bad" : "") },
  { head: "Failovers", num: true, cell: (row) => count(row.failovers) },
];

function Feeds({ rows }) {
  const feeds = rows.flatMap((row) => row.feeds.map((feed) => ({ ...feed, stream: row.key, name: row.kind ?? row.key, key: `${row.key} ${feed.instance}` })));
  return html`<${Table} caption="Feeds" empty="No feed is open: feeds exist while somebody is subscribed." rows=${feeds} columns=${[
    { head: "Provider", cell: (row) => row.provider ?? row.instance },
    { head: "Stream", cell: (row) => html`<code>${row.name}</code>` },
    { head: "State", cell: (row) => html`<${StateMark} state=${row.open ? "healthy" : "down"} word=${row.open ? "Open" : "Closed"} />` },
    { head: "Usually late by", num: true, title: "Behind whoever tells first", cell: (row) => (row.score_s == null ? "–" : duration(1000 * row.score_s)) },
  ]} />`;
}

/** Whatever the node counts about its WebSocket clients, in its own words. */
function Clients({ rows }) {
  const known = Object.entries(rows).filter(([, value]) => typeof value === "number");
  if (!known.length) return html`<p class="empty">No WebSocket client yet.</p>`;
  return html`<dl class="pairs">${known.map(([name, value]) => html`<dt>${name.replaceAll("_", " ")}</dt><dd>${count(value)}</dd>`)}</dl>`;
}
