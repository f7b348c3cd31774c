// ethers' clients: `on("block")`, which tells numbers only, and `on(filter)`, which keeps removed logs to itself. So
// beside each is a subscriber of ethers' that tells all: there are equal subscriptions on one socket.

import { fromToolbox, head, overhear, subscribeAll, task, tell, url } from "./subscriber.mjs";

const { ethers, SocketSubscriber } = fromToolbox("ethers");

class Whole extends SocketSubscriber {
  constructor(provider, params, each) {
    super(provider, params);
    this.each = each;
  }

  async _emit(_, message) {
    this.each(message);
  }
}

const log = ({ blockNumber, blockHash, index, transactionHash, data }) =>
  [blockNumber, blockHash, index, transactionHash, data];

async function subscribe(client) {
  const provider = new ethers.WebSocketProvider(url(client));
  overhear(provider.websocket, client, 4);
  const topics = [new ethers.Interface(task.abi).getEvent("Paid").topicHash];
  const filter = { address: task.till, topics };
  await provider.on("error", (error) => tell(client, "stray", String(error)));
  await provider.on("block", (number) => tell(client, "number", number));
  await provider.on(filter, (event) => tell(client, "event", log(event)));
  new Whole(provider, ["newHeads"], (header) => tell(client, "head", head(header))).start();
  const telling = (raw) => tell(client, "log", [...log(provider._wrapLog(raw, provider._network)), raw.removed]);
  new Whole(provider, ["logs", filter], telling).start();
}

await subscribeAll(subscribe);
