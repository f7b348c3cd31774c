// viem as the tests use it: found in the toolbox (Node's own search would not look there), told what to do by one JSON
// argument, answering with one JSON line per step. Big integers are written as `123n`.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const fromToolbox = createRequire(process.env.E2E_TOOLBOX + "/");
export const viem = fromToolbox("viem");
export const { privateKeyToAccount } = fromToolbox("viem/accounts");

export const task = JSON.parse(process.argv[2]);
export const chain = viem.defineChain({
  id: task.chainId,
  name: "anvil",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [task.url] } },
});

/** A client without retries: what fails is to be seen. `options` are the HTTP transport's. */
export function publicClient(options = {}) {
  return viem.createPublicClient({ chain, transport: transport(options), cacheTime: 0, pollingInterval: 50 });
}

export function transport(options = {}) {
  return viem.http(task.url, { retryCount: 0, timeout: 20_000, ...options });
}

const written = (_, value) => (typeof value === "bigint" ? `${value}n` : value);

export function tell(step, value) {
  process.stdout.write(JSON.stringify({ step, value: value ?? null }, written) + "\n");
}

/** What a revert says: viem walks down to the error that the contract raised. */
export async function refusal(call) {
  try {
    await call();
  } catch (error) {
    const revert = error.walk((each) => each instanceof viem.ContractFunctionRevertedError);
    return { name: revert?.data?.errorName, args: revert?.data?.args, reason: revert?.reason, raw: revert?.raw };
  }
  throw new Error("it was not refused");
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Ask the test to mine, and wait until it has. */
export async function mined(step, hash) {
  tell(step, hash);
  await lines.next();
}
