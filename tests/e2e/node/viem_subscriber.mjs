// viem's clients: heads by the transport's own subscription (its watchBlocks reads each block again), a contract's
// events by watchContractEvent.

import { fromToolbox, head, overhear, subscribeAll, task, tell, url } from "./subscriber.mjs";

const viem = fromToolbox("viem");

async function subscribe(client) {
  const transport = viem.webSocket(url(client), { reconnect: false, retryCount: 0 });
  const reader = viem.createPublicClient({ transport });
  overhear((await reader.transport.getRpcClient()).socket, client, 2);
  const onError = (error) => tell(client, "stray", String(error));
  reader.watchContractEvent({ address: task.till, abi: task.abi, eventName: "Paid", onLogs: logs(client), onError });
  const onData = ({ result }) => tell(client, "head", head(result));
  await reader.transport.subscribe({ params: ["newHeads"], onData, onError });
}

const logs = (client) => (found) => {
  for (const { blockNumber, blockHash, logIndex, transactionHash, data, removed } of found)
    tell(client, "log", [Number(blockNumber), blockHash, logIndex, transactionHash, data, removed]);
};

await subscribeAll(subscribe);
