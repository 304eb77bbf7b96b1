// A session of Alpaca's own JavaScript client against the exchange at EXCHANGE_URL.
// Every check throws when it fails; the last line printed is a JSON summary that the Python test reads.

import assert from "node:assert/strict";
import { once } from "node:events";
import Alpaca from "@alpacahq/alpaca-trade-api";

const url = process.env.EXCHANGE_URL;
const keys = { keyId: "key", secretKey: "secret" };
const client = new Alpaca({ ...keys, baseUrl: url, dataBaseUrl: url, dataStreamUrl: url, feed: "iex" });
const calls = new Set();
const updates = [];
let quotes = 0;

async function ask(name, ...values) {
  calls.add(name);
  return await client[name](...values);
}

async function refused(status, message, name, ...values) {
  await assert.rejects(ask(name, ...values), (error) => {
    assert.equal(error.response?.status, status, `${name}: ${error.message}`);
    assert.match(error.response.data.message, message);
    return true;
  });
}

async function until(what, holds, seconds = 10) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`waited ${seconds} s for ${what}`);
}

const buy = (more) => ({ symbol: "MSFT", qty: 1, side: "buy", type: "market", time_in_force: "day", ...more });
const statusOf = async (id) => (await ask("getOrder", id)).status;

async function account() {
  const found = await ask("getAccount");
  assert.equal(found.status, "ACTIVE");
  assert.equal((await ask("updateAccountConfigurations", { no_shorting: true })).no_shorting, true);
  assert.equal((await ask("getAccountConfigurations")).no_shorting, true);
  await ask("updateAccountConfigurations", { no_shorting: false });
}

async function reference() {
  assert.equal((await ask("getClock")).is_open, true);
  const days = await ask("getCalendar", { start: new Date("2026-11-25T12:00:00Z"), end: new Date("2026-11-30T12:00:00Z") });
  assert.deepEqual(days.map((day) => day.close), ["16:00", "13:00", "16:00"]);
  const rows = await ask("getAssets", { status: "active", asset_class: "us_equity" });
  assert.ok(rows.length > 30 && rows.every((row) => row.tradable));
  assert.equal((await ask("getAsset", "BTCUSD")).symbol, "BTC/USD");
  await refused(404, /not found/, "getAsset", "ZZZZ");
}

async function orders() {
  const first = await ask("createOrder", buy({ client_order_id: "js-1" }));
  await until("a fill", async () => (await statusOf(first.id)) === "filled");
  assert.equal((await ask("getOrderByClientId", "js-1")).id, first.id);
  await refused(422, /client_order_id must be unique/, "createOrder", buy({ client_order_id: "js-1" }));
  await refused(403, /insufficient buying power/, "createOrder", buy({ qty: 90000 }));
  const resting = await ask("createOrder", buy({ type: "limit", limit_price: 10.01, time_in_force: "gtc" }));
  await until("the order to be live", async () => (await statusOf(resting.id)) === "new");
  const replaced = await ask("replaceOrder", resting.id, { limit_price: "10.02" });
  assert.equal(replaced.replaces, resting.id);
  const open = await ask("getOrders", { status: "open", nested: true, symbols: "MSFT" });
  assert.ok(open.some((order) => order.id === replaced.id));
  await until("the replacement", async () => (await statusOf(replaced.id)) === "new");
  await ask("cancelOrder", replaced.id);
  await until("a cancellation", async () => (await statusOf(replaced.id)) === "canceled");
  await ask("createOrder", buy({ type: "limit", limit_price: 10.01 }));
  const cancelled = await ask("cancelAllOrders");
  assert.deepEqual(cancelled.map((one) => one.status), [200]);
  await until("no open orders", async () => (await ask("getOrders", { status: "open" })).length === 0);
}

async function positions() {
  const held = await ask("getPositions");
  assert.ok(held.some((one) => one.symbol === "MSFT"));
  assert.equal((await ask("getPosition", "MSFT")).symbol, "MSFT");
  const closing = await ask("closePosition", "MSFT");
  assert.equal(closing.side, "sell");
  await until("MSFT to be closed", async () => (await statusOf(closing.id)) === "filled");
  await refused(404, /position does not exist/, "getPosition", "MSFT");
  const rest = await ask("closeAllPositions");
  assert.equal(rest.length, held.length - 1);
  await until("no positions", async () => (await ask("getPositions")).length === 0);
}

async function history() {
  const fills = await ask("getAccountActivities", { activityTypes: ["FILL"], pageSize: 2 });
  assert.equal(fills.length, 2);
  const next = await ask("getAccountActivities", { activityTypes: "FILL", pageSize: 2, pageToken: fills[1].id });
  assert.ok(next.every((row) => !fills.some((seen) => seen.id === row.id)));
  const past = await ask("getPortfolioHistory", { period: "1M", timeframe: "1D" });
  assert.equal(past.timestamp.length, past.equity.length);
}

async function watchlists() {
  const made = await ask("addWatchlist", "js", ["AAPL"]);
  await ask("addToWatchlist", made.id, "MSFT");
  const found = await ask("getWatchlist", made.id);
  assert.deepEqual(found.assets.map((asset) => asset.symbol).sort(), ["AAPL", "MSFT"]);
  await ask("deleteFromWatchlist", made.id, "AAPL");
  const changed = await ask("updateWatchlist", made.id, { name: "js 2", symbols: ["SPY"] });
  assert.deepEqual(changed.assets.map((asset) => asset.symbol), ["SPY"]);
  assert.equal((await ask("getWatchlists")).length, 1);
  await ask("deleteWatchlist", made.id);
  assert.equal((await ask("getWatchlists")).length, 0);
}

async function data() {
  const names = ["AAPL", "MSFT"];
  for (const call of ["getLatestTrades", "getLatestQuotes", "getLatestBars"])
    assert.deepEqual([...(await ask(call, names)).keys()].sort(), names);
  const quote = (await ask("getLatestQuotes", names)).get("AAPL");
  assert.ok(0 < quote.BidPrice && quote.BidPrice < quote.AskPrice);
  assert.equal((await ask("getSnapshots", names)).length, 2);
  const timeframe = client.newTimeframe(1, client.timeframeUnit.DAY);
  const bars = await ask("getMultiBarsV2", names, { start: "2026-11-02", timeframe, pageLimit: 5 });
  assert.deepEqual([...bars.values()].map((rows) => rows.length), [15, 15]);
  const pairs = ["BTC/USD", "ETH/USD"];
  for (const call of ["getLatestCryptoTrades", "getLatestCryptoQuotes", "getLatestCryptoBars", "getCryptoSnapshots"])
    assert.deepEqual([...(await ask(call, pairs)).keys()].sort(), pairs);
  const hours = await ask("getCryptoBars", pairs, { start: "2026-11-19T00:00:00Z", timeframe: "1Hour" });
  assert.ok(hours.get("BTC/USD").length > 24);
}

async function listen() {
  const stream = client.trade_ws;
  stream.onConnect(() => stream.subscribe(["trade_updates"]));
  stream.onOrderUpdate((update) => updates.push(update));
  const connected = once(stream, stream.STATE.CONNECTED);
  stream.connect();
  await connected;
}

async function listenToPrices() {
  const stream = client.data_stream_v2;
  stream.session.url = stream.session.url.replace("wss", "ws"); // this client cannot be told to do without TLS
  stream.onConnect(() => stream.subscribeForQuotes(["AAPL"]));
  stream.onStockQuote((quote) => {
    assert.equal(quote.Symbol, "AAPL");
    assert.ok(0 < quote.BidPrice && quote.BidPrice < quote.AskPrice);
    quotes += 1;
  });
  stream.connect();
}

await listen();
await listenToPrices();
for (const part of [account, reference, data, orders, positions, history, watchlists]) await part();
await until("fills on the stream", () => updates.some((update) => update.event === "fill"));
await until("prices on the stream", () => quotes > 0);
client.trade_ws.disconnect();
client.data_stream_v2.disconnect();
const events = [...new Set(updates.map((update) => update.event))].sort();
console.log(JSON.stringify({ calls: [...calls].sort(), events, quotes }));
