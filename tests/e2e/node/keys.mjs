// viem with a key: in a header, in the path, over a WebSocket; without one; and where the key may not go.

import { chain, task, tell, viem } from "./viem.mjs";

const once = { retryCount: 0, timeout: 20_000 };

async function ask(step, transport, call = (client) => client.getBlockNumber()) {
  try {
    tell(step, await call(viem.createPublicClient({ chain, transport, cacheTime: 0 })));
  } catch (error) {
    const causes = [];
    for (let each = error; each; each = each.cause) causes.push(each);
    tell(step, causes.map(({ name, status, code, details }) => ({ name, status, code, details })));
  }
}

await ask("header", viem.http(task.url, { ...once, fetchOptions: { headers: { "x-lasso-api-key": task.key } } }));
await ask("bearer", viem.http(task.url, { ...once, fetchOptions: { headers: { authorization: `Bearer ${task.key}` } } }));
await ask("path", viem.http(task.keyed, once));
await ask("batch", viem.http(task.keyed, { ...once, batch: true }), (client) =>
  Promise.all([client.getBlockNumber(), client.getChainId()]),
);
await ask("socket", viem.webSocket(task.keyedSocket, { ...once, reconnect: false }));
await ask("forbidden", viem.http(task.keyed, once), (client) => client.getGasPrice());
await ask("without", viem.http(task.url, once));
process.exit(0);
