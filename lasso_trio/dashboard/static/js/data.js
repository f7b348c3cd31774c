/* What the page knows: the live snapshot, and answers of the JSON endpoints while somebody looks at them. */

import { useEffect, useRef, useState } from "./lib.js";
import { mindSeen, Stream } from "./stream.js";

const KEPT_TICKS = 90;
const KEPT_CALLS = 120;
const KEPT_ISSUES = 60;

/** The snapshot of `profile`, the state of the connection, and what the last minutes brought. Renders at each tick. */
export function useLive(profile) {
  const [live, setLive] = useState({ state: "connecting", snapshot: null, ticks: [], calls: [], issues: [], since: 0 });
  useEffect(() => {
    const stream = new Stream(`/dashboard/events/${encodeURIComponent(profile)}`, (news) => setLive((old) => merged(old, news)));
    const timer = setInterval(() => stream.beat(), 1000);
    const forget = mindSeen(stream);
    return () => { forget(); clearInterval(timer); stream.close(); };
  }, [profile]);
  return live;
}

/** The state after a message. Pure. */
export function merged(old, { state, since, data }) {
  if (!data) return { ...old, state, since };
  return {
    state, since, snapshot: data,
    ticks: [...old.ticks, { ...data.headline }].slice(-KEPT_TICKS),
    calls: newest(old.calls, data.activity, KEPT_CALLS),
    issues: newest(old.issues, data.issues, KEPT_ISSUES),
  };
}

/** Rows by their rising `seq`, each once, newest last. A node that restarted counts from the beginning again. */
export function newest(old, rows, most) {
  const last = old.at(-1)?.seq ?? -1;
  const restarted = rows.length > 0 && rows.at(-1).seq < last;
  return restarted ? rows.slice(-most) : [...old, ...rows.filter((row) => row.seq > last)].slice(-most);
}

/** The JSON at `url`, asked again every `everyMs` while the page is seen. {data, error}; null `url`: nothing is asked. */
export function usePolled(url, everyMs = 3000) {
  const [answer, setAnswer] = useState({ data: null, error: "", url });
  const current = useRef(url);
  current.current = url;
  useEffect(() => {
    if (!url) return undefined;
    const ask = async () => {
      const next = await asked(url);
      if (current.current === url) setAnswer((old) => ({ data: next.data ?? (old.url === url ? old.data : null), error: next.error, url }));
    };
    ask();
    const timer = setInterval(() => document.hidden || ask(), everyMs);
    return () => clearInterval(timer);
  }, [url, everyMs]);
  return answer.url === url ? answer : { data: null, error: "" };
}

/** One request: {data} or {error: words}. A session that ended leads to the login. */
export async function asked(url, options = {}) {
  try {
    const reply = await fetch(url, { headers: { accept: "application/json" }, ...options });
    if (reply.status === 401 && url.startsWith("/dashboard/")) location.assign(`/dashboard/login?next=${encodeURIComponent(location.pathname)}`);
    const data = await reply.json();
    return reply.ok ? { data, status: reply.status } : { error: words(data, reply), data: null, body: data, status: reply.status };
  } catch {
    return { error: "no answer from the node", data: null, status: 0 };
  }
}

const words = (data, reply) => (typeof data?.error === "string" ? data.error : `status ${reply.status}`);

export const post = (url, body, headers = {}) => asked(url, {
  method: "POST", headers: { "content-type": "application/json", accept: "application/json", ...headers }, body: JSON.stringify(body),
});
