/* What an operator may order here. The token is typed in, kept in this page's memory only, and sent to the admin API and
 * nowhere else: a reload of the page forgets it. */

import { html, useState } from "./lib.js";
import { post } from "./data.js";

let token = "";

export function AdminActions({ which, provider }) {
  const [said, setSaid] = useState("");
  const [known, setKnown] = useState(token !== "");
  const order = async (path, body, done) => {
    setSaid("…");
    const reply = await post(path, body, { authorization: `Bearer ${token}` });
    setSaid(reply.error ? (reply.status === 401 ? "The token is not the node's." : reply.error) : done);
  };
  const path = which.split("/").map(encodeURIComponent).join("/");
  const one = (verb, body) => order(`/admin/providers/${path}/${verb}`, body ?? {}, "Done.");
  return html`<h3 class="h3">Orders</h3>
    <div class="orders">
      <label>Admin token <input type="password" autocomplete="off" value=${token} onInput=${(event) => { token = event.target.value; setKnown(token !== ""); }} /></label>
      <button type="button" class="plain" disabled=${!known} onClick=${() => one(provider.cordoned ? "uncordon" : "cordon")}>${provider.cordoned ? "Uncordon" : "Cordon"}</button>
      <button type="button" class="plain" disabled=${!known} onClick=${() => one("breaker", { state: "open" })}>Open breaker</button>
      <button type="button" class="plain" disabled=${!known} onClick=${() => one("breaker", { state: "half_open" })}>Half-open</button>
      <button type="button" class="plain" disabled=${!known} onClick=${() => one("breaker", { state: "closed" })}>Close breaker</button>
      <button type="button" class="plain" disabled=${!known} onClick=${() => order("/admin/reload", {}, "Reloaded.")}>Reload profiles</button>
      <span role="status">${said}</span>
    </div>`;
}
