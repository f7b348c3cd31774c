/* The box a chosen chain or provider is shown in: it takes the focus when it opens, and Escape closes it. */

import { html, useEffect, useRef } from "./lib.js";
import { StateMark } from "./parts.js";
import { go } from "./place.js";

export function Panel({ title, state, word, above, children }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.focus({ preventScroll: true });
    if (matchMedia("(max-width: 1080px)").matches) box.current.scrollIntoView({ block: "start" });
  }, []);
  const close = () => go("overview");
  return html`<section class="card panel" ref=${box} tabindex="-1" aria-label=${title} onKeyDown=${(event) => event.key === "Escape" && close()}>
    <header>${above}<h2>${title}</h2><${StateMark} state=${state} word=${word} /><div class="end"><button type="button" class="plain" onClick=${close}>Close</button></div></header>
    <div class="body">${children}</div>
  </section>`;
}
