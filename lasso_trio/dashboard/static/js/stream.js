/* The one connection to the node: an EventSource that tells what state it is in, and never gives up.
 *
 *   connecting ──open──► live ──error, or nothing for SILENT_MS──► lost ──(back-off, at most 10 s)──► connecting
 *
 * The browser's own reconnecting stops at an HTTP error (a node that restarts behind a proxy answers 502), so the
 * connection is made anew here. `beat()` is called once a second by the page and takes the clock, so silence is noticed
 * even when the connection looks open: what the page shows is then marked as stale.
 *
 * A page that nobody sees rests: its connection is closed, so that the node sends it nothing, and made anew at once when
 * it is seen again. The listener is not told of that `connecting`: the last snapshot follows within a moment. */

export const SILENT_MS = 5_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A glance at another tab leaves no gap. */
export const AWAY_MS = 30_000;

export class Stream {
  /** `listener({state, since, data?})`: `data` is a decoded message; `since` the time of the last one, in ms. */
  constructor(url, listener, { source = (target) => new EventSource(target), now = () => Date.now() } = {}) {
    Object.assign(this, { url, listener, makeSource: source, now });
    this.wait = FIRST_WAIT_MS;
    this.heard = 0;
    this.lastId = "";
    this.connect();
  }

  connect() {
    if (this.state === "resting") this.state = "connecting";
    else this.say("connecting");
    this.opened = this.now();
    const source = this.makeSource(this.url);
    this.source = source;
    source.addEventListener("snapshot", (event) => this.take(event));
    source.addEventListener("error", () => this.lose());
  }

  take(event) {
    this.heard = this.now();
    this.wait = FIRST_WAIT_MS;
    this.say("live", JSON.parse(event.data));
  }

  /** Give the connection up, and try again after a while that doubles. */
  lose() {
    if (this.state === "lost" || this.state === "closed") return;
    this.source.close();
    this.say("lost");
    this.retryAt = this.now() + this.wait;
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
  }

  /** Called about once a second. */
  beat() {
    const now = this.now();
    if (this.state === "lost" && now >= this.retryAt) this.connect();
    else if (this.state === "live" && now - this.heard > SILENT_MS) this.lose();
    else if (this.state === "connecting" && now - this.opened > SILENT_MS) this.lose();
  }

  rest() {
    if (this.state === "resting" || this.state === "closed") return;
    this.source.close();
    this.say("resting");
  }

  wake() {
    if (this.state === "resting") this.connect();
  }

  say(state, data) {
    this.state = state;
    this.listener({ state, since: this.heard, data });
  }

  close() {
    this.source.close();
    this.say("closed");
  }
}

/** Has `stream` rest when `page` was not seen for AWAY_MS, and wake when it is. Gives what ends that. */
export function mindSeen(stream, { page = document, later = setTimeout, never = clearTimeout } = {}) {
  let timer = null;
  const look = () => {
    never(timer);
    if (page.hidden) timer = later(() => stream.rest(), AWAY_MS);
    else stream.wake();
  };
  page.addEventListener("visibilitychange", look);
  look();
  return () => { never(timer); page.removeEventListener("visibilitychange", look); };
}
