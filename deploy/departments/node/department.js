// A department's own program in Node, written from asyncapi.json alone: every name it uses is read
// from that document. It takes work orders, signs and answers them, and survives being killed.
//
//   AMQP_URL=amqps://user:password@host/hotline DEPARTMENT=sb STATE=seen.txt \
//   ASYNCAPI=asyncapi.json node department.js
//
// Put your own work where `work` is. Rules 1 to 6 are those of the document (x-rules).
"use strict";
const amqp = require("amqplib");
const fs = require("fs");
const { createHash } = require("crypto");

const { AMQP_URL, DEPARTMENT, STATE, ASYNCAPI } = process.env;
const told = JSON.parse(fs.readFileSync(ASYNCAPI, "utf8"));
const own = (address) => address.replace("{department}", DEPARTMENT);
const QUEUE = own(told.channels.workorders.address);
const EXCHANGE = told.channels.replies.bindings.amqp.exchange.name;
const KEY = own(told.channels.replies.address);
const USER = decodeURIComponent(new URL(AMQP_URL).username);
const typeOf = (name) => told.components.messages[name].payload.properties.type.const;
const NAMES = new Map(Object.keys(told.channels.workorders.messages).map((n) => [typeOf(n), n]));

// What is to be done with a work order: the answers to send, in their order.
function work(name, order) {
  if (name !== "offered") return []; // urged, supervised, extended, withdrawn: nothing to answer here
  return [
    { event: "signed", by: "值班员" },
    { event: "replied", by: "值班员", result: `已核实：${order.summary}`, measures: "" },
  ];
}

// Rule 2: the highest version settled, by work order; one line each, on disk before the ack.
const seen = new Map();
const remember = (number, version) => seen.set(number, Math.max(version, seen.get(number) || 0));
if (fs.existsSync(STATE)) {
  const lines = fs.readFileSync(STATE, "utf8").split("\n").slice(0, -1); // a torn last line is none
  lines.forEach((line) => remember(line.split(" ")[0], Number(line.split(" ")[1])));
}
const file = fs.openSync(STATE, "a");
if (fs.fstatSync(file).size) fs.writeSync(file, "\n"); // ends a torn line

function settle(number, version) {
  fs.writeSync(file, `${number} ${version}\n`);
  fs.fsyncSync(file);
  remember(number, version);
}

// Rules 3, 4 and 6: persistent, mandatory, in our own name, under an id that is the same each time.
async function send(channel, returned, order, answer) {
  const { work_order, version } = order;
  const said = `${work_order}/${version}/${answer.event}`;
  const id = createHash("sha256").update(said).digest("hex").slice(0, 40);
  const event = {
    specversion: "1.0",
    id,
    source: `urn:department:${DEPARTMENT}`,
    type: typeOf(answer.event),
    time: new Date().toISOString(),
    data: { work_order, version, department: DEPARTMENT, ...answer },
  };
  channel.publish(EXCHANGE, KEY, Buffer.from(JSON.stringify(event)), {
    persistent: true,
    mandatory: true,
    userId: USER,
    messageId: id,
    contentType: told.components.messages[answer.event].contentType,
  });
  await channel.waitForConfirms();
  if (returned.delete(id)) throw new Error("the hotline takes no replies at the moment");
}

async function handle(channel, returned, message) {
  let order, name;
  try {
    const event = JSON.parse(message.content.toString("utf8"));
    name = NAMES.get(event.type);
    order = event.data;
    if (name && (order === null || typeof order !== "object")) throw new Error("no message");
  } catch {
    return channel.reject(message, false); // rule 5: parked, where the hotline sees it
  }
  if (name && order.version === undefined) {
    console.error(name, message.content.toString("utf8")); // of no version: a reply was refused, and why
  } else if (name && order.version > (seen.get(order.work_order) || 0)) {
    for (const answer of work(name, order)) await send(channel, returned, order, answer);
    settle(order.work_order, order.version);
    console.log(`${order.work_order} v${order.version} ${name}`);
  }
  channel.ack(message); // also what is a repetition, and what we do not know (rule 1)
}

// One connection's life; whatever goes wrong ends it, and what was not acked comes again.
async function live() {
  const connection = await amqp.connect(AMQP_URL, { timeout: 10000 });
  const ended = new Promise((_, fail) => {
    connection.on("error", fail);
    connection.on("close", () => fail(new Error("the connection was closed")));
  });
  try {
    const channel = await connection.createConfirmChannel();
    const returned = new Set();
    channel.on("return", (message) => returned.add(message.properties.messageId));
    await channel.prefetch(1);
    const broken = new Promise((_, fail) => {
      channel.on("error", fail);
      const taken = (message) => {
        if (message === null) return fail(new Error("the queue is gone"));
        handle(channel, returned, message).catch(fail);
      };
      channel.consume(QUEUE, taken).catch(fail);
    });
    await Promise.race([ended, broken]);
  } finally {
    ended.catch(() => {});
    await connection.close().catch(() => {});
  }
}

(async () => {
  for (;;) {
    await live().catch((error) => console.error(error.message));
    await new Promise((again) => setTimeout(again, 1000));
  }
})();
