// Everything a viem client reads. Run once through the proxy and once on a node: the lines must be the same.

import { publicClient, refusal, task, tell } from "./viem.mjs";

const client = publicClient();
const batching = publicClient({ batch: { wait: 5, batchSize: 40 } });
const till = { address: task.till, abi: task.abi };
const [fromBlock, toBlock] = [BigInt(task.first), BigInt(task.last)];

const steps = {
  chainId: () => client.getChainId(),
  blockNumber: () => client.getBlockNumber(),
  block: () => client.getBlock({ blockNumber: toBlock, includeTransactions: true }),
  finalizedBlock: () => client.getBlock({ blockTag: "finalized" }),
  blockByHash: async () => {
    const { hash } = await client.getBlock({ blockNumber: fromBlock });
    return client.getBlock({ blockHash: hash });
  },
  balance: () => client.getBalance({ address: task.owner }),
  oldBalance: () => client.getBalance({ address: task.owner, blockNumber: fromBlock }),
  transaction: () => client.getTransaction({ hash: task.paid }),
  receipt: () => client.getTransactionReceipt({ hash: task.paid }),
  code: () => client.getCode({ address: task.till }),
  storage: () => client.getStorageAt({ address: task.till, slot: "0x0" }),
  feeHistory: () => client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] }),
  fees: () => client.estimateFeesPerGas(),
  logs: () => client.getLogs({ address: task.till, fromBlock, toBlock }),
  events: () => client.getContractEvents({ ...till, eventName: "Paid", fromBlock, toBlock }),
  held: () => client.readContract({ ...till, functionName: "held" }),
  heldThen: () => client.readContract({ ...till, functionName: "held", blockNumber: fromBlock }),
  list: () => client.readContract({ ...till, functionName: "list", args: [300n] }),
  gas: () => client.estimateContractGas({ ...till, functionName: "pay", args: ["☃"], account: task.owner }),
  simulation: async () => (await client.simulateContract({ ...till, functionName: "take", args: [1n] })).result,
  customError: () => refusal(() => client.simulateContract({ ...till, functionName: "take", args: [10n ** 30n] })),
  reason: () => refusal(() => client.simulateContract({ ...till, functionName: "refuse", args: ["über das Limit ☃"] })),
  nullBlock: () => failure(() => client.getBlock({ blockNumber: 2n ** 31n })),
  nullReceipt: () => failure(() => client.getTransactionReceipt({ hash: "0x" + "cd".repeat(32) })),
  unknownMethod: () => failure(() => client.request({ method: "eth_noSuchMethod" })),
  batch: () =>
    Promise.all(
      Array.from({ length: Number(toBlock) }, (_, n) => batching.getBlock({ blockNumber: BigInt(n) })).concat(
        batching.readContract({ ...till, functionName: "held" }),
        failure(() => batching.request({ method: "eth_noSuchMethod" })),
      ),
    ),
};

async function failure(call) {
  try {
    return { unexpected: await call() };
  } catch (error) {
    const cause = error.walk?.() ?? error;
    return { name: error.name, code: cause.code, message: cause.shortMessage ?? cause.message };
  }
}

for (const [name, step] of Object.entries(steps)) tell(name, await step());
process.exit(0);
