/* A load from this browser: a mix of reads at a steady rate for half a minute, never above the profile's own limit. What
 * is not a JSON-RPC result counts as an error, whatever its HTTP status. */

import { html, useEffect, useRef, useState } from "./lib.js";
import { count, ms, percent, rate } from "./format.js";
import { Card, Figure, Segments } from "./parts.js";

const RATES = [1, 5, 15, 30, 100];
const USUAL = 15;
const LASTS_MS = 30_000;
const MOST_AT_ONCE = 32;
const CALLS = [
  ["eth_blockNumber", []], ["eth_getBalance", ["0x0000000000000000000000000000000000000000", "latest"]],
  ["eth_getBlockByNumber", ["latest", false]], ["eth_gasPrice", []],
];

/** The rates that a profile with this limit (calls per second, or none) allows. Pure. */
export const rates = (limit) => RATES.filter((n) => !limit || n <= limit);

/** The rate to offer first. Pure. */
export const usualRate = (limit) => rates(limit).filter((n) => n <= USUAL).pop() ?? RATES[0];

/** Why no load can be sent from this page; empty where one can. Pure. */
export function whyNot(features, mine) {
  if (features?.load === false) return "This page is served on the operators' port, where no calls are taken. Use lasso bench.";
  return mine?.needs_key ? "This profile asks its clients for a key. Use lasso bench with one." : "";
}

export function Load({ profile, chain, limit, strategies, refusal }) {
  const [chosen, setPerSecond] = useState(null);
  const perSecond = rates(limit).includes(chosen) ? chosen : usualRate(limit);
  const [strategy, setStrategy] = useState("fastest");
  const [run, setRun] = useState(null);
  const stop = useRef(() => {});
  useEffect(() => () => stop.current(), []);
  const start = () => {
    const path = `/rpc/profile/${encodeURIComponent(profile)}/${encodeURIComponent(strategy)}/${encodeURIComponent(chain.chain)}`;
    stop.current = began(path, perSecond, setRun);
  };
  const running = run?.running;
  const options = rates(limit).map((n) => [n, `${n}/s`]);
  if (refusal) return html`<${Card} title="A load"><p>${refusal}</p><//>`;
  return html`<${Card} title="A load" note="four kinds of reads, half a minute, from this browser">
    <div class="form">
      <${Segments} label="Calls per second" options=${options} value=${perSecond} choose=${setPerSecond} />
      <label>Strategy <select value=${strategy} disabled=${running} onChange=${(event) => setStrategy(event.target.value)}>${strategies.map((name) => html`<option value=${name} selected=${name === strategy}>${name}</option>`)}</select></label>
      <button type="button" class="main" onClick=${() => (running ? stop.current() : start())}>${running ? "Stop" : "Run"}</button>
    </div>
    ${run && html`<dl class="figures flat" aria-label="The load in numbers">
      <${Figure} term="Answered" value=${count(run.good)} />
      <${Figure} term="Errors" value=${count(run.bad)} tone=${run.bad ? "bad" : ""} under=${run.lastError} />
      <${Figure} term="Success" value=${run.good + run.bad ? percent(run.good / (run.good + run.bad), 1) : "–"} />
      <${Figure} term="Mean" value=${ms(run.good ? run.totalMs / run.good : null)} unit="ms" under="seen from this browser" />
      <${Figure} term="Rate" value=${rate(run.elapsed ? (1000 * (run.good + run.bad)) / run.elapsed : 0)} unit="/s" under=${`${count(run.open)} on the way`} />
    </dl>`}
  <//>`;
}

/** Starts sending; returns what stops it. `tell` gets the state some four times a second. */
function began(path, perSecond, tell) {
  const state = { good: 0, bad: 0, open: 0, totalMs: 0, lastError: "", elapsed: 0, running: true };
  const since = performance.now();
  let sent = 0;
  const pace = setInterval(() => {
    state.elapsed = performance.now() - since;
    if (state.elapsed > LASTS_MS) return stop();
    for (; sent < (state.elapsed / 1000) * perSecond; sent += 1) if (state.open < MOST_AT_ONCE) one(path, sent, state);
    return undefined;
  }, Math.max(20, 1000 / perSecond));
  const teller = setInterval(() => tell({ ...state }), 250);
  function stop() {
    clearInterval(pace);
    clearInterval(teller);
    state.running = false;
    tell({ ...state });
  }
  tell({ ...state });
  return stop;
}

async function one(path, id, state) {
  const [method, params] = CALLS[id % CALLS.length];
  const began = performance.now();
  state.open += 1;
  try {
    const reply = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id, method, params }) });
    const body = await reply.json().catch(() => ({}));
    if (body.error || !("result" in body)) throw new Error(body.error?.message ?? `HTTP ${reply.status}`);
    state.good += 1;
    state.totalMs += performance.now() - began;
  } catch (mistake) {
    state.bad += 1;
    state.lastError = String(mistake.message).slice(0, 80);
  } finally {
    state.open -= 1;
  }
}
