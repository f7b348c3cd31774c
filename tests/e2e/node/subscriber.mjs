// What every subscriber does: it finds its library in the toolbox, and tells what reached it as one JSON line each,
// {"client": n, "kind": "live" | "head" | "log" | "number" | "event" | "stray", "value": …}. The test ends it.

import { createRequire } from "node:module";

export const fromToolbox = createRequire(process.env.E2E_TOOLBOX + "/");
export const task = JSON.parse(process.argv[2]);

export function tell(client, kind, value = null) {
  process.stdout.write(JSON.stringify({ client, kind, value }) + "\n");
}

/** A socket of its own for each client, also where a library shares those with equal URLs. */
export const url = (client) => `${task.url}?client=${client}`;

/** Number, hash and parent: of a header as it came. */
export const head = ({ number, hash, parentHash }) => [Number(number), hash, parentHash];

/** Beside what the library makes of it: tells when `subscriptions` are answered, strange messages, the socket's end. */
export function overhear(socket, client, subscriptions) {
  let answered = 0;
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (/^0x[0-9a-f]{32}$/.test(message.result) && ++answered === subscriptions) tell(client, "live");
    if (message.error ?? (message.method ?? "eth_subscription") !== "eth_subscription") tell(client, "stray", message);
  });
  socket.addEventListener("close", ({ code, reason }) => tell(client, "stray", `closed with ${code} ${reason}`));
}

/** One client after the other: fifteen handshakes and libraries at once would only wait for the processor. */
export async function subscribeAll(subscribe) {
  for (let client = 0; client < task.clients; client++) await subscribe(client);
}
