/* Routed calls as they happen, each with why it went where it went. It can be paused, and pauses by itself while the
 * pointer or the focus is on it, so that nothing moves under a finger. */

import { html, useState } from "./lib.js";
import { clock, count, ms } from "./format.js";
import { Card, Segments } from "./parts.js";

export function Activity({ calls, snapshot, chain, provider }) {
  const [paused, setPaused] = useState(false);
  const [held, setHeld] = useState(null);
  const [kind, setKind] = useState("all");
  const [hover, setHover] = useState(false);
  const still = paused || hover;
  const hold = (on) => { setHover(on); if (!paused) setHeld(on ? calls : null); };
  const toggle = () => { setPaused(!paused); setHeld(paused ? (hover ? calls : null) : (held ?? calls)); };
  const rows = shown(held ?? calls, kind, chain, provider);
  const waiting = held ? calls.filter((call) => call.seq > (held.at(-1)?.seq ?? -1)).length : 0;
  const { seen, kept } = snapshot.activity_rate ?? {};
  const note = still ? `${paused ? "paused" : "held while you look"}, ${count(waiting)} newer` : seen > kept ? `showing ${count(kept)} of ${count(seen)} in the last second` : "as they happen";
  return html`<${Card} title="Live calls" flush note=${note} end=${html`
      <${Segments} label="Which calls" value=${kind} choose=${setKind} options=${[["all", "All"], ["eventful", "Eventful"], ["failed", "Failed"]]} />
      <button type="button" class="plain" aria-pressed=${paused} onClick=${toggle}>${paused ? "Resume" : "Pause"}</button>`}>
    ${(chain || provider) && html`<p class="feedscope">Only ${provider?.name ?? chain.name}</p>`}
    <ol class="feed" tabindex="0" aria-label="Live calls, newest first" onMouseEnter=${() => hold(true)} onMouseLeave=${() => hold(false)} onFocus=${() => hold(true)} onBlur=${() => hold(false)}>
      ${rows.length ? rows.map((call) => html`<${Call} key=${call.seq} call=${call} />`) : html`<li><span class="when"></span><span class="what dim">No calls${kind === "all" ? " yet" : " of this kind"}. “Try it” makes some.</span></li>`}
    </ol>
  <//>`;
}

const eventful = (call) => call.error || call.retries > 0 || call.hedged || call.cache;

function shown(calls, kind, chain, provider) {
  return calls.filter((call) => (kind === "all" || (kind === "failed" ? call.error : eventful(call)))
    && (!chain || call.chain === chain.chain) && (!provider || call.provider === provider.provider)).reverse();
}

function Call({ call }) {
  return html`<li class=${call.error ? "failed" : ""}>
    <time class="when">${clock(call.at)}</time>
    <span class="what"><code>${call.method}</code>${" → "}<b>${call.provider ?? "nobody"}</b>
      ${call.retries > 0 && html`<span class="tag moved">${count(call.retries)} failover${call.retries > 1 ? "s" : ""}</span>`}
      ${call.hedged && html`<span class="tag hedged">${call.hedge_won ? "race won" : "raced"}</span>`}
      ${call.cache && html`<span class="tag cached">${call.cache}</span>`}
      ${call.error && html`<span class="tag failed">${call.error.code ?? "error"}</span>`}</span>
    <span class="ms">${ms(call.ms)} <span class="dim">ms</span></span>
    <span class="why">${call.error ? `${String(call.error.category ?? "").replaceAll("_", " ")}: ${call.error.message ?? ""}` : `${call.strategy} · ${call.reason.replaceAll("_", " ")} · ${call.client} in, ${call.transport ?? "–"} out`}</span>
  </li>`;
}
