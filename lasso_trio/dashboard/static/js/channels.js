/* A provider's channels: breaker, cooldown, pace, budget, and how each breaker got where it is. */

import { html } from "./lib.js";
import { count, duration, rate } from "./format.js";
import { Pairs, StateMark } from "./parts.js";

const STEPS = ["closed", "half_open", "open"];

export function Channels({ rows }) {
  return html`<div class="channels">${rows.map((row) => html`<${Channel} key=${row.transport} row=${row} />`)}</div>`;
}

function Channel({ row }) {
  const breaker = row.circuit_breaker;
  return html`<section aria-label="${row.transport} channel">
    <h3 class="h3">${row.transport === "ws" ? "WebSocket" : "HTTP"} <code>${row.endpoint}</code></h3>
    ${!row.live && breaker.state === "closed" ? html`<p class="dim">Not connected.</p>` : html`<${Pairs} rows=${[
      ["Breaker", html`<${Dots} state=${breaker.state} /> ${breaker.reason ? `${breaker.reason.replaceAll("_", " ")}` : ""}${breaker.quarantined ? ", until somebody looks" : breaker.retry_after_ms > 0 ? `, tries again in ${duration(breaker.retry_after_ms)}` : ""}`],
      ["Recent calls", `${count(Math.round(breaker.recent_calls))}, ${count(Math.round(breaker.recent_failures))} failed, ${count(breaker.consecutive_failures)} in a row`],
      ["Opened", `${count(breaker.opened_total)} times`],
      ["Cooldown", row.cooldown_ms > 0 ? `for another ${duration(row.cooldown_ms)}` : `none, ${count(row.cooldowns_total)} so far`],
      row.pacing && ["Pace", `${rate(row.pacing.calls_per_second)} calls/s${row.pacing.told_per_second == null ? "" : `, told ${rate(row.pacing.told_per_second)}`}, cut ${count(row.pacing.cuts_total)} times`],
      row.budget && ["Budget", budget(row.budget)],
      Object.keys(row.banned_methods).length > 0 && ["Methods it lacks", Object.keys(row.banned_methods).map((method) => html`<code>${method}</code> `)],
      row.unknown_errors.length > 0 && ["Errors nobody knows", row.unknown_errors.slice(0, 3).map((error) => html`<div><code>${error.text}</code> ×${count(error.times)}</div>`)],
      ["In flight", count(row.in_flight)],
    ]} />`}
    ${breaker.transitions.length > 0 && html`<${History} rows=${breaker.transitions} />`}
  </section>`;
}

const budget = (row) => [row.rps && `${count(row.spent_last_second)} of ${count(row.rps)} this second`, row.daily && `${count(row.spent_last_day)} of ${count(row.daily)} today`].filter(Boolean).join(", ");

/** Three places, one taken: where the breaker stands, as the original shows it; the word stands beside it. */
const Dots = ({ state }) => html`<span class="state s-${state}"><svg class="dots" viewBox="0 0 34 12" aria-hidden="true">${STEPS.map((step, i) => html`<circle cx=${6 + 11 * i} cy="6" r=${step === state ? 4.6 : 3} fill=${step === state ? "currentColor" : "none"} stroke="currentColor" />`)}</svg>${state.replace("_", " ")}</span>`;

function History({ rows }) {
  return html`<details><summary>How its breaker got here (${count(rows.length)})</summary><ol class="history">${rows.slice(0, 20).map((step) => html`<li>
    <span class="dim">${duration(step.age_ms)} ago</span> <span class="state s-${step.to}">${step.to.replace("_", " ")}</span> <span>${step.reason.replaceAll("_", " ")}${step.for_ms ? `, for ${duration(step.for_ms)}` : ""}${step.detail ? html` <span class="dim">${step.detail}</span>` : ""}</span></li>`)}</ol></details>`;
}
