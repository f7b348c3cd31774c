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
    <span class="told"><span class="tag s-${(LEVELS[row.level] ?? LEVELS.info)[0]}">${(LEVELS[row.level] ?? LEVELS.info)[1]}</span> ${named(row, snapshot)}</span>
    <${Where} row=${row} snapshot=${snapshot} />
  </li>`)}</ol>`;
}

/** The provider that names the instance an issue is about: {chain, found}, or null. */
function place(row, snapshot) {
  for (const chain of (row.instance && snapshot?.chains) || []) {
    const found = chain.providers.find((one) => one.instance === row.instance);
    if (found) return { chain, found };
  }
  return null;
}

/** Its text with the name that people know in place of the instance's id. */
const named = (row, snapshot) => (row.instance ? row.text.replaceAll(row.instance, place(row, snapshot)?.found.name ?? row.instance) : row.text);

function Where({ row, snapshot }) {
  const at = place(row, snapshot);
  if (at) {
    const { chain, found } = at;
    return html`<button type="button" class="link" onClick=${() => go("overview", chain.chain, found.provider)}>${found.name}</button>`;
  }
  return html`<span></span>`;
}
