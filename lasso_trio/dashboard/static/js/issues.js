/* What went wrong or changed, newest first, with the way to the provider it is about. */

import { html } from "./lib.js";
import { clock } from "./format.js";
import { Card } from "./parts.js";
import { go } from "./place.js";

const LEVELS = { info: ["unknown", "Note"], warning: ["degraded", "Warning"], error: ["down", "Error"] };

export function Issues({ rows, snapshot, title = "Issues" }) {
  return html`<${Card} title=${title} flush note="breakers, cooldowns, failovers, configuration, supervision">
    <${IssueList} rows=${rows} snapshot=${snapshot} />
  <//>`;
}

export function IssueList({ rows, snapshot }) {
  if (!rows.length) return html`<p class="empty indent">Nothing to report.</p>`;
  return html`<ol class="feed issues" tabindex="0" aria-label="Issues, newest first">${[...rows].reverse().map((row) => html`<li key=${row.seq}>
    <time class="when">${clock(row.at)}</time>
    <span class="told"><span class="tag s-${(LEVELS[row.level] ?? LEVELS.info)[0]}">${(LEVELS[row.level] ?? LEVELS.info)[1]}</span> ${row.text}</span>
    <${Where} row=${row} snapshot=${snapshot} />
  </li>`)}</ol>`;
}

function Where({ row, snapshot }) {
  for (const chain of (row.instance && snapshot?.chains) || []) {
    const found = chain.providers.find((one) => one.instance === row.instance);
    if (found) return html`<button type="button" class="link" onClick=${() => go("overview", chain.chain, found.provider)}>${found.name}</button>`;
  }
  return html`<span></span>`;
}
