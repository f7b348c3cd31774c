/* An explanation (docs/explain.md) in words: who would be asked first and why, who next, and who not at all. */

import { html } from "./lib.js";
import { count, duration, lag, ms } from "./format.js";

export function Plan({ explain, drawn }) {
  const { answer, chosen_first: first, candidates = [], excluded = [], hedge } = explain;
  if (answer === "local") return html`<p>This node answers by itself; no provider is asked.</p>`;
  if (answer === "refused") return html`<p class="bad">It would be refused: ${explain.refusal?.message ?? JSON.stringify(explain.refusal)}</p>`;
  return html`
    <p class="chooser">${first ? html`First <b>${first.label}</b>: ${words(first.reason)}.` : answer === "heights_first" ? "Nobody told of that block yet: all are asked how far they are, and who has come so far answers." : "Nobody could be asked."} ${raced(hedge)}${" "}
      ${explain.deadline_ms && `It may take ${duration(explain.deadline_ms)} and at most ${count(explain.most_dispatches)} attempts.`}
      ${drawn && candidates.some((row) => row.tied) && " Those who are tied are drawn anew for each call, so the call itself may have begun elsewhere."}</p>
    <ol class="plan" aria-label="Who would be asked, in this order">${candidates.map((row, i) => html`<li key=${row.label} class=${row.label === first?.label ? "first" : ""}>
      <span class="rank">${row.rank ?? i + 1}</span><b>${row.label}</b><span>${row.expected_ms == null ? html`<span class="dim">not measured</span>` : `${ms(row.expected_ms)} ms expected`}</span>
      <span class="why">${candidate(row)}</span></li>`)}</ol>
    ${excluded.length > 0 && html`<h3 class="h3">Not asked</h3><ul class="plan" aria-label="Who would not be asked">${excluded.map((row) => html`<li key=${row.label}>
      <span class="rank" aria-hidden="true">–</span><b>${row.label}</b><span>${words(row.reason)}</span><span class="why">${row.why}</span></li>`)}</ul>`}
    <details><summary>The whole explanation, as JSON</summary><pre class="answer" tabindex="0" aria-label="Explanation">${JSON.stringify(explain, null, 2)}</pre></details>`;
}

const words = (reason) => String(reason ?? "").replaceAll("_", " ");

function raced(hedge) {
  if (!hedge) return "Such calls are not raced.";
  return hedge.suppressed ? `It would not be raced: ${words(hedge.suppressed)}.` : hedge.delay_ms == null ? "" : `If it is late, a second one is asked after ${ms(hedge.delay_ms)} ms.`;
}

function candidate(row) {
  const breaker = typeof row.breaker === "object" ? row.breaker?.state : row.breaker;
  const behind = row.head?.lag ?? null;
  return [
    row.tier != null && (row.tier === 0 ? "healthiest tier" : `tier ${row.tier}`),
    row.tied && "tied with others",
    breaker && `breaker ${words(breaker)}`,
    row.cooldown_ms > 0 && `cooling down for ${duration(row.cooldown_ms)}`,
    behind != null && lag(behind),
  ].filter(Boolean).join(" · ");
}
