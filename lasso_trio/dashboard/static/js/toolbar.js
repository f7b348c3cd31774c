/* A tab's heading with its chain picker. The chosen chain is in the address (`#metrics/ethereum`). */

import { html } from "./lib.js";
import { go } from "./place.js";

/** The chain a tab is about: the address's, else the first. */
export const chosenChain = (snapshot, place) => snapshot.chains.find((one) => one.chain === place.chain) ?? snapshot.chains[0];

export function Toolbar({ title, tab, snapshot, chain, note, children }) {
  return html`<div class="toolbar"><h1>${title}</h1>
    ${chain && snapshot.chains.length > 1 && html`<label class="dim">Chain <select value=${chain.chain} onChange=${(event) => go(tab, event.target.value)}>
      ${snapshot.chains.map((one) => html`<option key=${one.chain} value=${one.chain} selected=${one.chain === chain.chain}>${one.name}</option>`)}</select></label>`}
    ${chain && snapshot.chains.length === 1 && html`<span class="dim">${chain.name}</span>`}
    ${children}<span class="note">${note}</span></div>`;
}
