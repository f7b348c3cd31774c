/* What state a thing is in, in words and shapes, and what is wrong with all of it in one sentence. Pure.
 *
 * Every state has a word, a glyph that is told apart without colour, and a severity: 0 is fine, 1 is worth knowing,
 * 2 costs calls or redundancy, 3 takes no calls. */

import { plural } from "./format.js";

export const WORDS = {
  healthy: "Healthy", lagging: "Lagging", rate_limited: "Rate limited", half_open: "Recovering", reconnecting: "Reconnecting",
  degraded: "Degraded", circuit_open: "Circuit open", cordoned: "Cordoned", unknown: "Unknown", down: "Down",
  closed: "Closed", open: "Open",
  responding: "Responds", connected: "Does not tell", discovering: "Not heard yet", unresponsive: "Unresponsive", disconnected: "Disconnected",
};

export const MEANINGS = {
  healthy: "takes calls", lagging: "behind the chain's head", rate_limited: "told us to slow down",
  half_open: "its breaker tries single calls", reconnecting: "its WebSocket is coming back", degraded: "fails too often",
  circuit_open: "its breaker keeps calls away", cordoned: "an operator took it out", unknown: "not heard of yet",
};

export const SEVERITY = {
  healthy: 0, closed: 0, unknown: 1, lagging: 1, half_open: 2, reconnecting: 2, rate_limited: 2, degraded: 2, cordoned: 2,
  circuit_open: 3, open: 3, down: 3,
  responding: 0, discovering: 1, connected: 2, unresponsive: 2, disconnected: 3,
};

const DISC = "M0-5a5 5 0 1 0 0 10a5 5 0 1 0 0-10z";
const RING = `${DISC}M0-3.2a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 1 1 0-6.4z`;

/** Paths in a box from -6 to 6: a disc, a low disc, bars, half a disc, a triangle, a cross, a barred ring, a ring. */
export const GLYPHS = {
  healthy: DISC, closed: DISC,
  lagging: `${RING}M-3.2 0a3.2 3.2 0 0 0 6.4 0z`,
  rate_limited: "M-4.5-5h3v10h-3zM1.5-5h3v10h-3z",
  half_open: `${RING}M0-3.2a3.2 3.2 0 0 1 0 6.4z`,
  reconnecting: "M-5-1.5h3v3h-3zM-1.5-1.5h3v3h-3zM2-1.5h3v3h-3z",
  degraded: "M0-5.5L5.8 5H-5.8zM-.8-1.8v3.4h1.6v-3.4zM-.8 2.6v1.4h1.6v-1.4z",
  circuit_open: "M-5-3.4L-3.4-5 0-1.6 3.4-5 5-3.4 1.6 0 5 3.4 3.4 5 0 1.6-3.4 5-5 3.4-1.6 0z",
  cordoned: `${RING}M-2.8-1h5.6v2h-5.6z`,
  unknown: RING,
};
GLYPHS.open = GLYPHS.down = GLYPHS.disconnected = GLYPHS.circuit_open;
GLYPHS.responding = DISC;
GLYPHS.connected = GLYPHS.half_open;
GLYPHS.unresponsive = GLYPHS.degraded;
GLYPHS.discovering = RING;

/** Everything that is not healthy, worst first: [{chain, provider, name, status, why}]. */
export function troubles(snapshot) {
  const rows = snapshot.chains.flatMap((chain) => chain.providers
    .filter((one) => SEVERITY[one.status] !== 0)
    .map((one) => ({ chain: chain.chain, chainName: chain.name, provider: one.provider, name: one.name, status: one.status, why: one.why })));
  return rows.sort((a, b) => SEVERITY[b.status] - SEVERITY[a.status] || a.name.localeCompare(b.name));
}

/** Nodes of the cluster whose figures do not count, dead ones first: [{node, name, status}]. */
export function missing({ cluster }) {
  const named = (ids, status) => (ids ?? []).map((id) => ({ node: id, name: id, status, why: "" }));
  return [...named(cluster?.disconnected, "disconnected"), ...named(cluster?.unresponsive, "unresponsive")];
}

/** The page's first line: {tone: "good" | "warn" | "bad", text}. It holds no number that moves all the time. */
export function verdict(snapshot) {
  const { readiness, chains, headline } = snapshot;
  if (readiness !== "ready") return { tone: "bad", text: `This node takes no traffic: ${readiness.replaceAll("_", " ")}.` };
  const down = chains.filter((chain) => chain.status === "down");
  if (down.length) return { tone: "bad", text: `${names(down)} cannot serve: no provider takes calls.` };
  if (headline.error_percent > 5) return { tone: "bad", text: "More than one call in twenty fails." };
  const total = chains.reduce((sum, chain) => sum + chain.providers.length, 0);
  const rows = troubles(snapshot);
  const out = rows.filter((row) => SEVERITY[row.status] === 3);
  if (out.length) return { tone: "bad", text: `${out.length} of ${plural(total, "provider")} ${out.length === 1 ? "takes" : "take"} no calls. The others carry the load.` };
  if (rows.length) return { tone: "warn", text: `Serving. ${rows.length} of ${plural(total, "provider")} ${rows.length === 1 ? "is" : "are"} not at ${rows.length === 1 ? "its" : "their"} best.` };
  const nodes = missing(snapshot).length;
  if (nodes) return { tone: "warn", text: `Serving. ${nodes} of ${plural(snapshot.cluster.nodes, "node")} ${nodes === 1 ? "is" : "are"} out of the picture.` };
  if (snapshot.cluster?.problems?.length) return { tone: "warn", text: "Serving. Something is wrong with the cluster." };
  return { tone: "good", text: total === 1 ? "The one provider is healthy." : `All ${plural(total, "provider")} are healthy.` };
}

/** Why a provider is in its state, for people: "network_error" is a word of the log. */
export const spoken = (why) => (why ?? "").replaceAll("_", " ");

const names = (rows) => rows.map((row) => row.name).join(", ");
