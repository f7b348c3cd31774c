/* Where the reader is: `#tab/chain/provider` in the address, so that a view can be linked and Back goes back. */

import { useEffect, useState } from "./lib.js";

export const TABS = [
  ["overview", "Overview"], ["metrics", "Metrics"], ["streams", "Streams"], ["races", "Races"], ["cluster", "Cluster"], ["system", "System"], ["try", "Try it"],
];

/** "#overview/demo/flaky" → {tab, chain, provider}; an unknown tab is the overview, and so is what cannot be read. Pure. */
export function parsed(hash) {
  const [tab, chain = null, provider = null] = parts(hash);
  const known = TABS.some(([key]) => key === tab);
  return { tab: known ? tab : "overview", chain: (known && chain) || null, provider: (known && provider) || null };
}

function parts(hash) {
  try {
    return hash.replace(/^#/, "").split("/").map((part) => decodeURIComponent(part));
  } catch {
    return [];
  }
}

export function go(tab, chain, provider) {
  location.hash = [tab, chain, provider].filter(Boolean).map(encodeURIComponent).join("/");
}

export function usePlace() {
  const [place, setPlace] = useState(() => parsed(location.hash));
  useEffect(() => {
    const follow = () => setPlace(parsed(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return place;
}
