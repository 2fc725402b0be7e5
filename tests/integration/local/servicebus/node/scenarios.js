// One scenario of the client for Node against the broker of CONNECTION_STRING; prints its result as JSON.
"use strict";

const { ServiceBusClient } = require("@azure/service-bus");

const HOUR = 3_600_000;
const WAIT = { maxWaitTimeInMs: 10_000 };

const scenarios = {
  async roundTrip(client) {
    const sender = client.createSender("orders");
    await sender.sendMessages({
      body: { nested: [1, "two"] },
      subject: "greeting",
      applicationProperties: { count: 3, flag: true },
    });
    await sender.sendMessages([{ body: "first of a batch" }, { body: "second of a batch" }]);
    const receiver = client.createReceiver("orders");
    const received = await receive(receiver, 3);
    for (const message of received) await receiver.completeMessage(message);
    const left = await receiver.peekMessages(10, { fromSequenceNumber: long(1) });
    return {
      bodies: received.map((message) => message.body),
      subject: received[0].subject,
      properties: received[0].applicationProperties,
      left: left.length,
    };
  },

  async settlements(client) {
    await client.createSender("orders").sendMessages([{ body: "abandon" }, { body: "bury" }, { body: "defer" }]);
    const receiver = client.createReceiver("orders");
    const [first, second, third] = await receive(receiver, 3);
    await receiver.abandonMessage(first, { tried: "once" });
    await receiver.deadLetterMessage(second, { deadLetterReason: "bad", deadLetterErrorDescription: "no colon", hint: 5 });
    await receiver.deferMessage(third);
    const [again] = await receive(receiver, 1);
    const [deferred] = await receiver.receiveDeferredMessages(third.sequenceNumber);
    await receiver.completeMessage(again);
    await receiver.completeMessage(deferred);
    const graveyard = client.createReceiver("orders", { subQueueType: "deadLetter" });
    const [dead] = await receive(graveyard, 1);
    await graveyard.completeMessage(dead);
    return {
      abandoned: [again.body, again.deliveryCount, again.applicationProperties],
      deferred: deferred.body,
      dead: [dead.body, dead.deadLetterReason, dead.deadLetterErrorDescription, dead.applicationProperties.hint],
    };
  },

  async schedule(client) {
    const sender = client.createSender("orders");
    const numbers = await sender.scheduleMessages([{ body: "kept" }, { body: "cancelled" }], new Date(Date.now() + HOUR));
    await sender.cancelScheduledMessages(numbers[1]);
    await sender.scheduleMessages({ body: "soon" }, new Date(Date.now() + 500));
    const receiver = client.createReceiver("orders");
    const [soon] = await receive(receiver, 1);
    const peeked = await receiver.peekMessages(10, { fromSequenceNumber: long(1) });
    return { soon: soon.body, peeked: peeked.map((message) => [message.body, message.state]) };
  },

  async locks(client) {
    await client.createSender("brief-locks").sendMessages({ body: "slow" });
    const slow = client.createReceiver("brief-locks", { maxAutoLockRenewalDurationInMs: 0 });
    const [late] = await receive(slow, 1);
    const renewed = (await slow.renewMessageLock(late)) > new Date();
    const other = client.createReceiver("brief-locks", { maxAutoLockRenewalDurationInMs: 0 });
    const [again] = await receive(other, 1);
    const refusal = await slow.completeMessage(late).then(() => "completed", (error) => error.code);
    await other.completeMessage(again);
    return { renewed, refusal, deliveryCount: again.deliveryCount };
  },

  async subscribe(client) {
    const sender = client.createSender("orders");
    const receiver = client.createReceiver("orders", { receiveMode: "receiveAndDelete" });
    const bodies = [];
    await new Promise((resolve, reject) => {
      receiver.subscribe({
        async processMessage(message) {
          bodies.push(message.body);
          if (bodies.length === 20) resolve();
        },
        async processError({ error }) {
          reject(error);
        },
      });
      sender.sendMessages(Array.from({ length: 20 }, (_, number) => ({ body: number }))).catch(reject);
    });
    await receiver.close();
    await sender.sendMessages({ body: "after" });
    const [after] = await receive(client.createReceiver("orders"), 1);
    return { bodies, after: after.body };
  },

  async refusals(client) {
    const code = (promise) => promise.then(() => "done", (error) => error.code);
    return {
      unknown: await code(client.createSender("nothing").sendMessages({ body: "lost" })),
      large: await code(client.createSender("orders").sendMessages({ body: Buffer.alloc(300_000) })),
    };
  },
};

async function receive(receiver, count) {
  const received = [];
  while (received.length < count) {
    const more = await receiver.receiveMessages(count - received.length, WAIT);
    if (more.length === 0) throw new Error(`${received.length} of ${count} messages came`);
    received.push(...more);
  }
  return received;
}

function long(number) {
  return require("long").fromNumber(number);
}

async function main() {
  const client = new ServiceBusClient(process.env.CONNECTION_STRING, { retryOptions: { maxRetries: 1 } });
  try {
    process.stdout.write(JSON.stringify(await scenarios[process.argv[2]](client)));
  } finally {
    await client.close();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
