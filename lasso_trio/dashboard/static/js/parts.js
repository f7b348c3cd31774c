/* Small parts that every tab uses: cards, tables, state marks, copy buttons, segments. */

import { html, useEffect, useRef, useState } from "./lib.js";
import { GLYPHS, WORDS } from "./health.js";

/** [ref, width of its box in px]: for drawings whose text must keep its size. */
export function useWidth(first = 560) {
  const box = useRef(null);
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const fit = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.round(entry.contentRect.width))));
    fit.observe(box.current);
    return () => fit.disconnect();
  }, []);
  return [box, width];
}

/** A panel: a heading, a quiet note beside it, something at its end. */
export function Card({ title, note, end, width = "w12", flush, children, id }) {
  return html`<section class="card ${width}" aria-label=${title} id=${id}>
    <header><h2>${title}</h2>${note && html`<span class="note">${note}</span>`}${end && html`<div class="end">${end}</div>`}</header>
    <div class="body ${flush ? "flush" : ""}">${children}</div>
  </section>`;
}

/** A state as glyph and word: shape and text say it, colour only repeats it. */
export const StateMark = ({ state, word }) => html`<span class="state s-${state}"><${Glyph} state=${state} />${word ?? WORDS[state]}</span>`;

export const Glyph = ({ state }) => html`<svg viewBox="-6 -6 12 12" aria-hidden="true"><path d=${GLYPHS[state] ?? GLYPHS.unknown} fill="currentColor" fill-rule="evenodd" /></svg>`;

/** `columns`: [{key, head, num, cell(row), label}], `rows` with `key`. The first column heads its row. */
export function Table({ caption, columns, rows, empty = "Nothing yet." }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table class="data">
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map((c) => html`<th scope="col" class=${c.num ? "num" : ""} title=${c.title}>${c.head}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.key} class=${row.off ? "off" : ""}>${columns.map((c, i) => i === 0
      ? html`<th scope="row">${c.cell(row)}</th>`
      : html`<td class="${c.num ? "num" : ""} ${c.tone?.(row) ?? ""}">${c.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** A choice of a few, as buttons in one frame. `options`: [[value, text], …]. */
export const Segments = ({ label, options, value, choose }) => html`<div class="segments" role="group" aria-label=${label}>
  ${options.map(([key, text]) => html`<button type="button" key=${key} aria-pressed=${value === key} onClick=${() => choose(key)}>${text}</button>`)}
</div>`;

/** Copies `text`; says so for a moment, to screen readers as well. */
export function Copy({ text, what }) {
  const [state, setState] = useState("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    setState((await written(text)) ? "Copied" : "Press Ctrl-C");
    timer.current = setTimeout(() => setState(""), 1500);
  };
  return html`<button type="button" class="plain" onClick=${copy} aria-label="Copy ${what}"><span aria-live="polite">${state || "Copy"}</span></button>`;
}

/** The clipboard wants a secure context; elsewhere the old way, from a field that is selected. */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** Definitions in two columns: [[term, what], …]; what is not known is left out. */
export const Pairs = ({ rows }) => html`<dl class="pairs">${rows.filter((row) => row && row[1] != null && row[1] !== "").map(([term, what]) => html`<dt>${term}</dt><dd>${what}</dd>`)}</dl>`;

/** One headline number. `tone`: "", "warn", "bad". */
export const Figure = ({ term, value, unit, under, tone = "", children }) => html`<div class="figure ${tone}"><dt>${term}</dt><dd class="value">${value}${unit && value !== "–" && html`<small>${unit}</small>`}</dd>${under && html`<dd class="under">${under}</dd>`}${children}</div>`;

export const Share = ({ share, label }) => html`<span class="bar" role="img" aria-label=${label}><i style=${{ width: `${Math.max(0, Math.min(100, 100 * (share || 0)))}%` }}></i></span>`;

/** Success and tail as the original judges them: ≥ 99 % fine, ≥ 95 % doubtful. */
export const successTone = (share) => (share == null || share >= 0.99 ? "" : share >= 0.95 ? "warn" : "bad");
