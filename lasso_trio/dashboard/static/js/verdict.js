/* What is wrong, and where: the first thing on the page. A sentence, and a way to each trouble. */

import { html } from "./lib.js";
import { duration } from "./format.js";
import { missing, spoken, troubles, verdict, WORDS } from "./health.js";
import { Glyph } from "./parts.js";
import { go } from "./place.js";

const MOST = 12;

export function Verdict({ live }) {
  if (!live.snapshot) return html`<div class="verdict"><h1 role="status">${live.state === "lost" ? "The node does not answer." : "Connecting to the node."}</h1></div>`;
  const { snapshot } = live;
  const { tone, text } = verdict(snapshot);
  const rows = [...missing(snapshot), ...troubles(snapshot)];
  return html`<div class="verdict ${tone}">
    <h1 role="status">${text}</h1>
    <span class="aside">${snapshot.node}${snapshot.cluster ? ` · ${snapshot.cluster.responding} of ${snapshot.cluster.nodes} nodes` : ""} · lasso ${snapshot.version} · up ${duration(1000 * snapshot.uptime_s)}</span>
    ${rows.length > 0 && html`<ul class="troubles" aria-label="What is wrong">${rows.slice(0, MOST).map((row) => html`<li key=${row.node ?? `${row.chain}/${row.provider}`}>
      <button type="button" class="trouble state s-${row.status}" onClick=${() => (row.node ? go("cluster") : go("overview", row.chain, row.provider))}>
        <${Glyph} state=${row.status} /><b>${row.name}</b><span>${spoken(row.why) || WORDS[row.status].toLowerCase()}${row.chainName && snapshot.chains.length > 1 ? ` · ${row.chainName}` : ""}</span>
      </button></li>`)}${rows.length > MOST && html`<li class="dim">and ${rows.length - MOST} more</li>`}</ul>`}
  </div>`;
}
