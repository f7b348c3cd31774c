/* Where an application connects: one line per transport, for the strategy one chooses. */

import { html, useState } from "./lib.js";
import { Card, Copy, Segments } from "./parts.js";

export function Endpoints({ profile, profiles, chain }) {
  const [chosen, setChosen] = useState(null);
  const row = profiles?.profiles.find((one) => one.slug === profile)?.chains.find((one) => one.chain === chain);
  if (!row) return null;
  const strategy = chosen ?? row.default_strategy;
  const endpoint = row.endpoints.find((one) => one.strategy === strategy) ?? row.endpoints[0];
  const options = row.endpoints.map((one) => [one.strategy, one.strategy === row.default_strategy ? `${one.strategy} (default)` : one.strategy]);
  return html`<${Card} title="Connect to ${row.name ?? chain}" note="one URL per strategy">
    <${Segments} label="Strategy" options=${options} value=${strategy} choose=${setChosen} />
    <div class="copyrow"><span class="dim">HTTP</span><code tabindex="0">${endpoint.http}</code><${Copy} text=${endpoint.http} what="HTTP URL" /></div>
    ${endpoint.ws ? html`<div class="copyrow"><span class="dim">WS</span><code tabindex="0">${endpoint.ws}</code><${Copy} text=${endpoint.ws} what="WebSocket URL" /></div>`
      : html`<p class="dim">No provider of this chain has a WebSocket.</p>`}
  <//>`;
}
