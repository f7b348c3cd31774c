/* The last tab: make a call, or only ask what would become of it; see the plan in words and the race on a time line. */

import { html, useState } from "./lib.js";
import { post } from "./data.js";
import { bytes, count, ms } from "./format.js";
import { Card, Pairs } from "./parts.js";
import { Plan } from "./plan.js";
import { Timeline } from "./timeline.js";
import { Load, whyNot } from "./load.js";
import { Endpoints } from "./endpoints.js";
import { chosenChain, Toolbar } from "./toolbar.js";

const METHODS = {
  eth_blockNumber: [], eth_chainId: [], eth_gasPrice: [], eth_getBalance: ["0x0000000000000000000000000000000000000000", "latest"],
  eth_getBlockByNumber: ["latest", false], eth_getLogs: [{ fromBlock: "latest", toBlock: "latest" }], eth_feeHistory: ["0x4", "latest", []],
  eth_call: [{ to: "0x0000000000000000000000000000000000000000", data: "0x" }, "latest"],
};

export function TryIt({ live, place, profile, profiles }) {
  const chain = chosenChain(live.snapshot, place);
  const [answer, setAnswer] = useState(null);
  if (!chain) return html`<p class="empty">This profile has no chain.</p>`;
  const mine = profiles?.profiles.find((one) => one.slug === profile);
  return html`<${Toolbar} title="Try it" tab="try" snapshot=${live.snapshot} chain=${chain} note="calls go the way every client's go, and count" />
    <div class="grid">
      <div class="w12"><${Form} key=${chain.chain} profile=${profile} chain=${chain} strategies=${mine?.strategies ?? []} setAnswer=${setAnswer} /></div>
      ${answer?.error && html`<div class="w12"><div class="banner" role="alert"><b>Not done.</b> ${answer.error}</div></div>`}
      <div class="stack w7">
        ${answer?.outcome && html`<${Outcome} outcome=${answer.outcome} />`}
        <${Load} profile=${profile} chain=${chain} limit=${mine?.rps_limit} refusal=${whyNot(profiles?.features, mine)} strategies=${mine?.strategies ?? []} />
        ${answer?.explain && html`<${Endpoints} profile=${profile} profiles=${profiles} chain=${chain.chain} />`}
      </div>
      <div class="stack w5">${answer?.explain ? html`<${Card} title="The plan, explained"><${Plan} explain=${answer.explain} drawn=${answer.outcome} /><//>`
        : html`<${Endpoints} profile=${profile} profiles=${profiles} chain=${chain.chain} />`}</div>
    </div>`;
}

function Form({ profile, chain, strategies, setAnswer }) {
  const [method, setMethod] = useState("eth_blockNumber");
  const [params, setParams] = useState("[]");
  const [wish, setWish] = useState({ strategy: "", provider: "", transport: "", hedge: "" });
  const [busy, setBusy] = useState(false);
  const choose = (name) => { setMethod(name); if (METHODS[name]) setParams(JSON.stringify(METHODS[name])); };
  const send = async (carryOut) => {
    const given = decoded(params);
    if (given === undefined) return setAnswer({ error: "The parameters are not JSON: a list, as [\"0x…\", \"latest\"]." });
    setBusy(true);
    const reply = await post("/dashboard/api/try", { profile, chain: chain.chain, method, params: given, ...asked(wish), carry_out: carryOut });
    setBusy(false);
    return setAnswer(reply.error ? { error: reply.error } : reply.data);
  };
  const set = (key) => (event) => setWish({ ...wish, [key]: event.target.value });
  return html`<${Card} title="A call">
    <form class="form" onSubmit=${(event) => { event.preventDefault(); send(true); }}>
      <label>Method <input list="methods" value=${method} onInput=${(event) => choose(event.target.value)} required spellcheck="false" /></label>
      <datalist id="methods">${Object.keys(METHODS).map((name) => html`<option value=${name} />`)}</datalist>
      <label class="wide">Parameters <textarea rows="1" value=${params} onInput=${(event) => setParams(event.target.value)} spellcheck="false"></textarea></label>
      <label>Strategy <select value=${wish.strategy} onChange=${set("strategy")}><option value="">default</option>${strategies.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
      <label>Provider <select value=${wish.provider} onChange=${set("provider")}><option value="">any</option>${chain.providers.map((one) => html`<option value=${one.provider}>${one.name}</option>`)}</select></label>
      <label>Transport <select value=${wish.transport} onChange=${set("transport")}><option value="">any</option><option value="http">HTTP</option><option value="ws">WebSocket</option></select></label>
      <label>Race <select value=${wish.hedge} onChange=${set("hedge")}><option value="">as configured</option><option value="off">off</option><option value="5">after 5 ms</option><option value="20">after 20 ms</option><option value="100">after 100 ms</option></select></label>
      <button class="main" disabled=${busy}>${busy ? "Calling" : "Call"}</button>
      <button type="button" class="plain" disabled=${busy} onClick=${() => send(false)}>Explain only</button>
    </form><//>`;
}

function decoded(text) {
  try { return JSON.parse(text || "[]"); } catch { return undefined; }
}

const asked = ({ strategy, provider, transport, hedge }) => ({
  strategy: strategy || null, provider: provider || null, transport: transport || null, hedge: hedge === "off" ? "off" : hedge ? Number(hedge) : null,
});

function Outcome({ outcome }) {
  const { error } = outcome;
  const note = `${ms(outcome.total_ms)} ms in all, ${ms(outcome.selection_ms)} ms of it to choose`;
  return html`<${Card} title=${outcome.ok ? `Answered by ${outcome.provider ?? (outcome.cache ? "the cache" : "this node")}` : "It failed"} note=${note}>
    <${Timeline} outcome=${outcome} />
    <${Pairs} rows=${[
      ["Why", `${(outcome.reason ?? "").replaceAll("_", " ")}${outcome.transport ? `, over ${outcome.transport}` : ""}`],
      outcome.retries > 0 && ["Failovers", count(outcome.retries)],
      outcome.hedges > 0 && ["Race", `${outcome.hedge_delay_ms == null ? "" : `a second was asked after ${ms(outcome.hedge_delay_ms)} ms; `}${outcome.hedge_won ? `the second was sooner and saved at least ${ms(outcome.saved_ms)} ms, as far as is known` : "the first came sooner after all"}`],
      outcome.cache && ["Cache", outcome.cache],
      error && ["Error", html`<span class="bad"><code>${error.code}</code> ${error.message} (${String(error.category ?? "").replaceAll("_", " ")})</span>`],
      outcome.result_bytes != null && ["Size", `${bytes(outcome.result_bytes)}${outcome.truncated ? ", cut here" : ""}`],
    ]} />
    ${outcome.result != null && html`<h3 class="h3">Result</h3><pre class="answer" tabindex="0" aria-label="Result">${pretty(outcome.result)}</pre>`}
  <//>`;
}

function pretty(text) {
  if (typeof text !== "string") return JSON.stringify(text, null, 2);
  try { return text.length < 20_000 ? JSON.stringify(JSON.parse(text), null, 2) : text; } catch { return text; }
}
