/* The fifth tab: the process itself, and the live tree of its tasks with what supervision had to restart. */

import { html, useRef } from "./lib.js";
import { usePolled } from "./data.js";
import { count, duration, ms } from "./format.js";
import { Spark } from "./chart.js";
import { Card, Figure, StateMark, Table } from "./parts.js";
import { Toolbar } from "./toolbar.js";

const RUNNING = new Set(["running", "started", "up"]);

export function System({ live }) {
  const { data, error } = usePolled("/dashboard/api/system", 2000);
  const past = useRef([]);
  if (data?.enabled && past.current.at(-1) !== data) past.current = [...past.current, data].slice(-60);
  if (!data) return html`<${Toolbar} title="System" tab="system" snapshot=${live.snapshot} note=${error || "Loading."} />`;
  if (!data.enabled) return html`<${Toolbar} title="System" tab="system" snapshot=${live.snapshot} /><${Card} title="Not collected"><p class="empty">Collection is off: ${data.hint}.</p><//>`;
  return html`<${Toolbar} title="System" tab="system" snapshot=${live.snapshot} note="up ${duration(1000 * data.uptime_s)}" />
    <${Numbers} data=${data} past=${past.current} />
    ${data.workers?.length > 0 && html`<${Workers} data=${data} />`}
    <div class="grid spaced"><div class="w12"><${Card} title="Tasks, as they are nested" note="${data.worker == null ? "" : `of worker ${data.worker}, which answered; `}inner ones end first${data.truncated ? "; only a part is shown" : ""}">
      <div class="tree" role="group" aria-label="Task tree">${data.tree && html`<ul><${Node} node=${data.tree} depth=${0} /></ul>`}</div>
    <//></div></div>`;
}

const WORKER_COLUMNS = [
  { key: "worker", head: "Worker", cell: (row) => html`${row.worker}${row.keeping && html` <span class="dim">keeps</span>`}` },
  { key: "pid", head: "Process", num: true, cell: (row) => row.pid },
  { key: "up", head: "Up", num: true, cell: (row) => duration(1000 * row.uptime_s) },
  { key: "calls", head: "Calls/s", num: true, cell: (row) => row.calls_per_second.toFixed(1) },
  { key: "connections", head: "Connections", num: true, cell: (row) => count(row.connections) },
  { key: "requests", head: "In flight", num: true, cell: (row) => count(row.requests) },
  { key: "cpu", head: "CPU %", num: true, cell: (row) => row.cpu_percent.toFixed(1) },
  { key: "busy", head: "Loop busy %", num: true, cell: (row) => row.busy_percent.toFixed(1) },
  { key: "lag", head: "Lag p99 ms", num: true, cell: (row) => ms(row.lag_p99_ms) },
  { key: "memory", head: "MiB", num: true, cell: (row) => row.memory_mb.toFixed(0) },
  { key: "tasks", head: "Tasks", num: true, cell: (row) => count(row.tasks) },
  { key: "restarts", head: "Restarts", num: true, cell: (row) => count(row.restarts) },
];

/** The node's processes: everything else on the dashboard is their sum. */
function Workers({ data }) {
  const rows = data.workers.map((row) => ({ ...row, key: row.worker }));
  return html`<div class="grid spaced"><div class="w12"><${Card} title="Workers" note="one that keeps watches the providers for all" flush>
    <${Table} caption="Workers" columns=${WORKER_COLUMNS} rows=${rows} />
  <//></div></div>`;
}

function Numbers({ data, past }) {
  const loop = data.loop ?? {};
  return html`<dl class="figures" aria-label="The process in numbers">
    <${Figure} term="CPU" value=${data.cpu_percent == null ? "–" : data.cpu_percent.toFixed(1)} unit="% of a core" tone=${data.cpu_percent > 85 ? "bad" : data.cpu_percent > 60 ? "warn" : ""}><${Spark} values=${past.map((one) => one.cpu_percent)} /><//>
    <${Figure} term="Memory" value=${data.memory_mb == null ? "–" : data.memory_mb.toFixed(0)} unit="MiB"><${Spark} values=${past.map((one) => one.memory_mb)} /><//>
    <${Figure} term="Loop busy" value=${loop.busy_percent == null ? "–" : loop.busy_percent.toFixed(1)} unit="%" tone=${loop.busy_percent > 85 ? "bad" : loop.busy_percent > 60 ? "warn" : ""} under="the rest it waits" />
    <${Figure} term="Loop lag" value=${ms(loop.lag_ms)} unit="ms" tone=${loop.p99_ms > 50 ? "bad" : loop.p99_ms > 10 ? "warn" : ""} under=${`p99 ${ms(loop.p99_ms)}, worst ${ms(loop.worst_ms ?? loop.max_ms)} ms`} />
    <${Figure} term="Tasks" value=${count(data.tasks)} under=${`${count(data.runnable)} ready to run`} />
    <${Figure} term="Connections" value=${count(data.connections)} under=${`${count(data.in_flight)} calls in flight`} />
    <${Figure} term="Dashboards open" value=${count(data.viewers)} />
    <${Figure} term="Restarts" value=${count(data.restarts_total)} tone=${data.restarts_total > 0 ? "warn" : ""} under="by supervision, since start" />
  </dl>`;
}

/** A supervisor and its only child, the supervised task itself, have one name: they are shown as one. */
function folded(node) {
  const [only, ...others] = node.children ?? [];
  return only && !others.length && only.name === node.name ? folded({ ...only, restarts: node.restarts ?? only.restarts, state: node.state ?? only.state }) : node;
}

function Node({ node: whole, depth }) {
  const node = folded(whole);
  const children = node.children ?? [];
  const failed = node.restarts > 0 || (node.state && !RUNNING.has(node.state));
  return html`<li><div class="node"><span class="name">${node.name}</span>
      ${node.count > 1 && html`<span class="dim">×${count(node.count)}</span>`}
      ${node.state && html`<${StateMark} state=${RUNNING.has(node.state) ? (node.restarts ? "half_open" : "healthy") : "down"} word=${node.state} />`}
      ${node.restarts != null && html`<span class=${node.restarts ? "warn" : "dim"}>${count(node.restarts)} restart${node.restarts === 1 ? "" : "s"}</span>`}
      ${node.since_ms != null && html`<span class="dim">for ${duration(node.since_ms)}</span>`}
      ${failed && node.last_error && html`<code class="bad">${node.last_error}</code>`}</div>
    ${children.length > 0 && html`<ul>${children.map((child, i) => html`<${Node} key=${`${child.name} ${i}`} node=${child} depth=${depth + 1} />`)}</ul>`}
  </li>`;
}
