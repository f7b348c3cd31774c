/* The frame around every tab: masthead, connection, verdict, tabs. The tab itself is contained: one that breaks says so
 * and leaves the others standing. */

import { html, useEffect, useErrorBoundary, useState } from "./lib.js";
import { useLive, usePolled } from "./data.js";
import { go, TABS, usePlace } from "./place.js";
import { clock, duration } from "./format.js";
import { Verdict } from "./verdict.js";
import { Overview } from "./overview.js";
import { Metrics } from "./metrics.js";
import { Streams } from "./streams.js";
import { Races } from "./races.js";
import { Cluster } from "./cluster.js";
import { System } from "./system.js";
import { TryIt } from "./tryit.js";

const VIEWS = { overview: Overview, metrics: Metrics, streams: Streams, races: Races, cluster: Cluster, system: System, try: TryIt };

export function Shell({ profile }) {
  const live = useLive(profile);
  const place = usePlace();
  const profiles = usePolled("/dashboard/api/profiles", 30_000).data;
  const lost = live.state !== "live" && live.state !== "resting" && live.snapshot !== null;
  const View = VIEWS[place.tab];
  const tabs = TABS.filter(([key]) => key === place.tab || (key === "cluster" ? Boolean(live.snapshot?.cluster) : profiles?.features?.[key] !== false));
  return html`<div class="frame ${lost ? "stale" : ""}">
    <a class="skip" href="#panel" onClick=${(event) => { event.preventDefault(); document.getElementById("panel").focus(); }}>Skip to content</a>
    <${Masthead} profile=${profile} profiles=${profiles} live=${live} />
    <${Tabs} tabs=${tabs} current=${place.tab} />
    ${lost && html`<${Lost} live=${live} />`}
    <main id="panel" role="tabpanel" aria-labelledby="tab-${place.tab}" tabindex="-1">
      ${place.tab === "overview" || live.snapshot === null ? html`<${Verdict} live=${live} />` : null}
      ${live.snapshot && html`<${Contained} key=${place.tab}><${View} live=${live} place=${place} profile=${profile} profiles=${profiles} /><//>`}
    </main>
  </div>`;
}

function Contained({ children }) {
  const [error, reset] = useErrorBoundary((mistake) => console.error(mistake));
  if (!error) return children;
  return html`<div class="banner" role="alert"><b>This tab could not be drawn.</b> <span>${String(error.message ?? error)}</span> <button class="link" onClick=${reset}>Try again</button></div>`;
}

function Lost({ live }) {
  return html`<div class="banner" role="alert"><b>Connection lost.</b>
    <span>What you see is from ${clock(live.since / 1000)}${" "}(${duration(Date.now() - live.since)} old) and not updated. Trying to reconnect.</span></div>`;
}

function Masthead({ profile, profiles, live }) {
  const names = profiles?.profiles ?? [{ slug: profile, name: profile }];
  return html`<header class="masthead">
    <div class="brand"><${Mark} /> lasso</div>
    <label><span class="label-text">Profile</span> <select value=${profile} onChange=${(event) => location.assign(`/dashboard/${encodeURIComponent(event.target.value)}`)}>
      ${names.map((one) => html`<option key=${one.slug} value=${one.slug} selected=${one.slug === profile}>${one.name ?? one.slug}</option>`)}
    </select></label>
    <div class="grow"></div>
    <${LinkState} live=${live} />
    <${ThemeButton} />
    ${profiles?.features?.auth && html`<form method="post" action="/dashboard/logout"><button class="plain">Log out${profiles.user ? ` ${profiles.user}` : ""}</button></form>`}
  </header>`;
}

/** A rope's loop. */
const Mark = () => html`<svg viewBox="0 0 26 26" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" aria-hidden="true"><ellipse cx="14.5" cy="9" rx="9.5" ry="6.2" transform="rotate(-14 14.5 9)" /><path d="M7 13.5c-1.6 2.5 2.4 3.2 1.2 6S4 23.8 2 23" /></svg>`;

function LinkState({ live }) {
  const text = { live: "Live", connecting: "Connecting", lost: "Connection lost", resting: "Resting", closed: "Closed" }[live.state];
  return html`<span class="link-state" data-state=${live.state} role="status"><span class="pulse" key=${live.snapshot?.tick} aria-hidden="true"></span>${text}</span>`;
}

function ThemeButton() {
  const [theme, setTheme] = useState(lassoTheme.current());
  const other = theme === "dark" ? "light" : "dark";
  return html`<button type="button" class="plain" onClick=${() => { lassoTheme.toggle(); setTheme(lassoTheme.current()); }} aria-label="Switch to ${other} colours">${other === "dark" ? "Dark" : "Light"}</button>`;
}

/** The tabs pattern of the ARIA practices: one stop for Tab, arrows move and choose. */
function Tabs({ tabs, current }) {
  useEffect(() => document.getElementById(`tab-${current}`)?.scrollIntoView({ block: "nearest", inline: "nearest" }), [current]);
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([key]) => `tab-${key}` === event.target.id); // `current` follows a moment later
    const next = Number.isFinite(step) ? (at + step + tabs.length) % tabs.length : step > 0 ? tabs.length - 1 : 0;
    go(tabs[next][0]);
    document.getElementById(`tab-${tabs[next][0]}`).focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Dashboard" onKeyDown=${move}>
    ${tabs.map(([key, text]) => html`<button type="button" role="tab" key=${key} id="tab-${key}" aria-selected=${key === current ? "true" : "false"} aria-controls="panel" tabindex=${key === current ? 0 : -1} onClick=${() => go(key)}>${text}</button>`)}
  </div>`;
}
