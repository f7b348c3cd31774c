// What a viem client writes with a key of its own: a deployment, a payment, and its event. The test mines.

import { chain, mined, privateKeyToAccount, publicClient, task, tell, transport, viem } from "./viem.mjs";

const account = privateKeyToAccount(task.key);
const reader = publicClient();
const wallet = viem.createWalletClient({ account, chain, transport: transport() });

const deployment = await wallet.deployContract({ abi: task.abi, bytecode: task.bytecode, args: [7n] });
await mined("sent", deployment);
const deployed = await reader.waitForTransactionReceipt({ hash: deployment, timeout: 10_000 });
tell("deployed", { status: deployed.status, address: deployed.contractAddress });

const till = { address: deployed.contractAddress, abi: task.abi };
const { request } = await reader.simulateContract({ ...till, account, functionName: "pay", args: ["☃ viem"], value: 5n });
const payment = await wallet.writeContract(request);
await mined("sent", payment);
const paid = await reader.waitForTransactionReceipt({ hash: payment, timeout: 10_000 });
tell("paid", viem.parseEventLogs({ abi: task.abi, logs: paid.logs }).map(({ eventName, args }) => ({ eventName, args })));
tell("held", await reader.readContract({ ...till, functionName: "held" }));
process.exit(0);
