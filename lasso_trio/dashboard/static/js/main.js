/* Starts the page: reads which profile the server gave, and draws the shell into the body. */

import { html, render } from "./lib.js";
import { Shell } from "./shell.js";

render(html`<${Shell} profile=${document.body.dataset.profile} />`, document.getElementById("page"));
