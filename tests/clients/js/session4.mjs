// A session of Alpaca's own JavaScript client, version 4, against the exchange at EXCHANGE_URL: the generated layer,
// which parses every answer into typed models, the helpers above it, and all of its streams.
// Every check throws when it fails; the last line printed is a JSON summary that the Python test reads.

import assert from "node:assert/strict";
import { Alpaca, NotFoundError, ValidationError, TimeFrame } from "alpaca-v4";

const url = process.env.EXCHANGE_URL;
const streams = url.replace("http", "ws");
// the client has hosts of its own; its transport may be replaced
const fetchApi = (address, init) => fetch(String(address).replace(/^https:\/\/[^/]+/, url), init);
const client = new Alpaca({ keyId: "key", secret: "secret", fetchApi, rateLimit: false, retry: false });
const calls = new Set();
const heard = { events: new Set(), stocks: new Set(), crypto: new Set(), news: 0 };
let asked = 0;

async function ask(path, ...values) {
  calls.add(path);
  asked += 1;
  const names = path.split(".");
  const method = names.pop();
  const api = names.reduce((found, name) => found[name], client);
  return await api[method](...values);
}

async function refused(status, kind, path, ...values) {
  await assert.rejects(ask(path, ...values), (error) => {
    assert.ok(error instanceof kind, `${path}: ${error}`);
    assert.equal(error.status ?? error.statusCode ?? error.response?.status, status);
    return true;
  });
}

async function until(what, holds, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`waited ${seconds} s for ${what}`);
}

const orders = "trading.orders";
const statusOf = async (orderId) => (await ask(`${orders}.getOrderByOrderID`, { orderId })).status;
const settled = (orderId, status) => until(status, async () => (await statusOf(orderId)) === status);

async function account() {
  assert.equal((await ask("trading.account.getAccount")).status, "ACTIVE");
  const config = await ask("trading.accountConfigurations.getAccountConfig");
  const changed = await ask("trading.accountConfigurations.patchAccountConfig", {
    accountConfigurations: { ...config, noShorting: true, maxMarginMultiplier: "2" },
  });
  assert.deepEqual([changed.noShorting, changed.maxMarginMultiplier], [true, "2"]);
  await ask("trading.accountConfigurations.patchAccountConfig", { accountConfigurations: config });
  assert.ok(await ask("trading.validateConnection"));
}

async function reference() {
  assert.equal((await ask("trading.clock.legacyClock")).isOpen, true);
  assert.equal((await ask("trading.clock.clock", { markets: "NYSE,NASDAQ" })).clocks.length, 2);
  const span = { start: new Date("2026-11-25"), end: new Date("2026-11-30") };
  assert.deepEqual((await ask("trading.calendar.legacyCalendar", span)).map((day) => day.close), ["16:00", "13:00", "16:00"]);
  assert.equal((await ask("trading.calendar.calendar", { market: "NYSE", ...span })).calendar.length, 3);
  const rows = await ask("trading.assets.getV2Assets", { status: "active", assetClass: "us_equity" });
  assert.ok(rows.length > 30 && rows.every((row) => row.tradable));
  assert.equal((await ask("trading.assets.getV2AssetsSymbolOrAssetId", { symbolOrAssetId: "BTCUSD" })).symbol, "BTC/USD");
  await refused(404, NotFoundError, "trading.assets.getV2AssetsSymbolOrAssetId", { symbolOrAssetId: "ZZZZ" });
  const notices = { caTypes: "dividend,split", since: "2026-11-20", until: "2027-01-31" };
  const found = await ask("trading.corporateActions.getV2CorporateActionsAnnouncements", notices);
  if (found.length) await ask("trading.corporateActions.getV2CorporateActionsAnnouncementsId", { id: found[0].id });
  const actions = await ask("marketData.corporateActions.corporateActions", { region: "us", ...span });
  assert.equal(typeof actions.corporateActions, "object");
}

async function placing() {
  const day = { symbol: "MSFT", qty: 1, side: "buy" };
  const first = await ask(`${orders}.market`, { ...day, clientOrderId: "js4-1" });
  await settled(first.id, "filled");
  assert.equal((await ask(`${orders}.getOrderByClientOrderId`, { clientOrderId: "js4-1" })).id, first.id);
  await refused(422, ValidationError, `${orders}.market`, { ...day, clientOrderId: "js4-1" });
  const resting = await ask(`${orders}.limit`, { ...day, limitPrice: "10.01", timeInForce: "gtc" });
  await settled(resting.id, "new");
  const replaced = await ask(`${orders}.patchOrderByOrderId`, {
    orderId: resting.id, patchOrderRequest: { limitPrice: "10.02" },
  });
  assert.equal(replaced.replaces, resting.id);
  await settled(replaced.id, "new");
  await ask(`${orders}.deleteOrderByOrderID`, { orderId: replaced.id });
  await settled(replaced.id, "canceled");
  await ask(`${orders}.stop`, { ...day, symbol: "KO", stopPrice: "5000" });
  await ask(`${orders}.stopLimit`, { ...day, symbol: "KO", stopPrice: "5000", limitPrice: "5001" });
  await ask(`${orders}.trailingStop`, { symbol: "AAPL", qty: 1, side: "sell", trailPercent: "9" });
  const bracket = await ask(`${orders}.bracket`, {
    ...day, symbol: "XOM", type: "limit", limitPrice: "20", takeProfit: { limitPrice: "30" }, stopLoss: { stopPrice: "10" },
  });
  assert.equal(bracket.legs.length, 2);
  await ask(`${orders}.oto`, { ...day, symbol: "DUK", type: "limit", limitPrice: "20", stopLoss: { stopPrice: "10" } });
  const listed = await ask(`${orders}.getAllOrders`, { status: "all", nested: true, assetClass: ["us_equity", "crypto"] });
  assert.ok(listed.some((order) => order.id === bracket.id && order.legs.length === 2));
  const cancelled = await ask(`${orders}.deleteAllOrders`);
  assert.ok(cancelled.length >= 5 && cancelled.every((row) => row.status === 200));
  await until("no open orders", async () => (await ask(`${orders}.getAllOrders`, { status: "open" })).length === 0);
  await ask(`${orders}.oco`, { symbol: "AAPL", qty: 1, side: "sell", takeProfit: { limitPrice: "9000" }, stopLoss: { stopPrice: "5" } });
  await ask(`${orders}.deleteAllOrders`);
}

async function positions() {
  const held = await ask("trading.positions.getAllOpenPositions");
  assert.ok(held.some((one) => one.symbol === "MSFT"));
  const name = { symbolOrAssetId: "MSFT" };
  assert.equal((await ask("trading.positions.getOpenPosition", name)).symbol, "MSFT");
  const closing = await ask("trading.positions.deleteOpenPosition", name);
  await settled(closing.id, "filled");
  await refused(404, NotFoundError, "trading.positions.getOpenPosition", name);
  await until("no open orders", async () => (await ask(`${orders}.getAllOrders`, { status: "open" })).length === 0);
  const rest = await ask("trading.positions.deleteAllOpenPositions", { cancelOrders: true });
  assert.equal(rest.length, held.length - 1);
  await until("no positions", async () => (await ask("trading.positions.getAllOpenPositions")).length === 0);
}

async function history() {
  const day = { date: new Date("2026-11-20"), activityTypes: ["FILL"], pageSize: 2 };
  const fills = await ask("trading.accountActivities.getAccountActivities", day);
  assert.equal(fills.length, 2);
  const next = await ask("trading.accountActivities.getAccountActivities", { ...day, pageToken: fills[1].id });
  assert.ok(next.every((row) => !fills.some((seen) => seen.id === row.id)));
  const flows = await ask("trading.accountActivities.getAccountActivitiesByActivityType", { activityType: "CSD" });
  assert.equal(flows.length, 1);
  assert.ok((await ask("trading.collectActivities", { activityTypes: ["FILL"] })).length > 5);
  const past = await ask("trading.portfolioHistory.getAccountPortfolioHistory", { period: "1M", timeframe: "1D", cashflowTypes: "ALL" });
  assert.equal(past.timestamp.length, past.equity.length);
}

async function watchlists() {
  const root = "trading.watchlists";
  const made = await ask(`${root}.postWatchlist`, { createWatchlistRequest: { name: "js4", symbols: ["AAPL"] } });
  const name = { watchlistId: made.id };
  await ask(`${root}.addAssetToWatchlist`, { ...name, addAssetToWatchlistRequest: { symbol: "MSFT" } });
  const found = await ask(`${root}.getWatchlistById`, name);
  assert.deepEqual(found.assets.map((asset) => asset.symbol).sort(), ["AAPL", "MSFT"]);
  assert.equal((await ask(`${root}.getWatchlistByName`, { name: "js4" })).id, made.id);
  await ask(`${root}.removeAssetFromWatchlist`, { ...name, symbol: "AAPL" });
  await ask(`${root}.updateWatchlistById`, { ...name, updateWatchlistRequest: { name: "js4b", symbols: ["SPY"] } });
  await ask(`${root}.updateWatchlistByName`, { name: "js4b", updateWatchlistRequest: { name: "js4c", symbols: ["SPY"] } });
  await ask(`${root}.addAssetToWatchlistByName`, { name: "js4c", addAssetToWatchlistRequest: { symbol: "KO" } });
  assert.equal((await ask(`${root}.getWatchlists`)).length, 1);
  await ask(`${root}.deleteWatchlistByName`, { name: "js4c" });
  await refused(404, NotFoundError, `${root}.deleteWatchlistById`, name);
}

async function locates() {
  const quotes = await ask("trading.locates.listLocateQuotes", { symbols: "AMC,AAPL" });
  assert.deepEqual([quotes.quotes[0].availableQty, quotes.errors[0].code], [10000, "easy_to_borrow"]);
  const made = await ask("trading.locates.createLocates", { createLocateRequest: { symbol: "AMC", qty: 100 } });
  assert.deepEqual([made.status, made.locatedQty], ["active", 100]);
  assert.equal((await ask("trading.locates.getLocate", { locateId: made.id })).id, made.id);
  const listed = await ask("trading.locates.listLocates", { status: "active", start: new Date("2026-11-20") });
  assert.deepEqual(listed.locates.map((row) => row.id), [made.id]);
}

async function data() {
  const symbols = "AAPL,MSFT";
  const start = new Date("2026-11-18"), end = new Date("2026-11-19");
  const stocks = "marketData.stocks", crypto = "marketData.crypto";
  for (const [call, key] of [["stockLatestBars", "bars"], ["stockLatestQuotes", "quotes"], ["stockLatestTrades", "trades"]])
    assert.deepEqual(Object.keys((await ask(`${stocks}.${call}`, { symbols }))[key]).sort(), ["AAPL", "MSFT"]);
  assert.deepEqual(Object.keys(await ask(`${stocks}.stockSnapshots`, { symbols })).sort(), ["AAPL", "MSFT"]);
  for (const [call, key, more] of [["stockBars", "bars", { timeframe: "1Hour" }], ["stockTrades", "trades", {}],
    ["stockQuotes", "quotes", {}], ["stockAuctions", "auctions", {}]])
    assert.ok((await ask(`${stocks}.${call}`, { symbols, start, end, limit: 50, ...more }))[key].AAPL.length > 0);
  for (const call of ["stockBarSingle", "stockTradeSingle", "stockQuoteSingle", "stockAuctionSingle"])
    assert.equal((await ask(`${stocks}.${call}`, { symbol: "AAPL", start, end, limit: 5, timeframe: "1Hour" })).symbol, "AAPL");
  for (const call of ["stockLatestBarSingle", "stockLatestQuoteSingle", "stockLatestTradeSingle", "stockSnapshotSingle"])
    assert.equal((await ask(`${stocks}.${call}`, { symbol: "AAPL" })).symbol, "AAPL");
  await ask(`${stocks}.stockMetaConditions`, { ticktype: "trade", tape: "A" });
  await ask(`${stocks}.stockMetaExchanges`);
  for (const loc of ["us", "us-1", "eu-1"]) {
    const pairs = { loc, symbols: "BTC/USD,ETH/USD" };
    for (const [call, key] of [["cryptoLatestBars", "bars"], ["cryptoLatestQuotes", "quotes"],
      ["cryptoLatestTrades", "trades"], ["cryptoLatestOrderbooks", "orderbooks"], ["cryptoSnapshots", "snapshots"]])
      assert.deepEqual(Object.keys((await ask(`${crypto}.${call}`, pairs))[key]).sort(), ["BTC/USD", "ETH/USD"]);
    for (const [call, key, more] of [["cryptoBars", "bars", { timeframe: "1Hour" }], ["cryptoTrades", "trades", {}], ["cryptoQuotes", "quotes", {}]])
      assert.ok((await ask(`${crypto}.${call}`, { ...pairs, start, end, limit: 50, ...more }))[key]["BTC/USD"].length > 0);
  }
  assert.deepEqual((await ask("marketData.news.news", { symbols: "AAPL", limit: 5 })).news, []);
  assert.equal((await ask("marketData.screener.mostActives", { by: "volume", top: 3 })).mostActives.length, 3);
  for (const marketType of ["stocks", "crypto"]) await ask("marketData.screener.movers", { marketType, top: 2 });
  assert.ok((await ask("marketData.getLatestPrice", "AAPL")) > 0);
  const bars = await ask("marketData.getStockBars", { symbols: ["AAPL", "MSFT"], timeframe: TimeFrame.Day, start: new Date("2026-11-02") });
  assert.ok(bars.AAPL.length >= 13);
}

const opened = [];

function open(stream, names, subscribe) {
  for (const [method, keep] of Object.entries(names)) stream[method](keep);
  stream.onError?.((error) => assert.fail(`stream: ${error.message ?? error}`));
  stream.onConnect(subscribe);
  stream.connect();
  opened.push(stream);
}

const trades = client.trading.stream({ url: `${streams}/stream` });
open(trades, { onTradeUpdate: (update) => heard.events.add(update.event) }, () => trades.subscribeTradeUpdates());
const stocks = client.marketData.stockStream({ url: `${streams}/v2/iex` });
open(stocks, { onQuote: () => heard.stocks.add("quote"), onTrade: () => heard.stocks.add("trade"), onBar: () => heard.stocks.add("bar") },
  () => { stocks.subscribeForQuotes(["AAPL"]); stocks.subscribeForTrades(["AAPL"]); stocks.subscribeForBars(["AAPL"]);
    stocks.subscribeForStatuses(["*"]); stocks.subscribeForLulds?.(["AAPL"]); stocks.subscribeForImbalances?.(["AAPL"]); });
const crypto = client.marketData.cryptoStream({ url: `${streams}/v1beta3/crypto/us-1` });
open(crypto, { onQuote: () => heard.crypto.add("quote"), onOrderbook: (book) => { assert.ok(book.bids.length > 0); heard.crypto.add("orderbook"); } },
  () => { crypto.subscribeForQuotes(["BTC/USD"]); crypto.subscribeForOrderbooks(["BTC/USD"]); });
const news = client.marketData.newsStream({ url: `${streams}/v1beta1/news` });
open(news, {}, () => { news.subscribeForNews(["*"]); heard.news += 1; });

await until("the streams", () => heard.news === 1 && heard.crypto.size > 0);
for (const part of [account, reference, data, placing, positions, history, watchlists, locates]) await part();
await until("fills on the stream", () => heard.events.has("fill"));
await until("prices on the streams", () => heard.stocks.size === 3 && heard.crypto.size === 2);
for (const stream of opened) stream.disconnect();
const listed = Object.fromEntries(["events", "stocks", "crypto"].map((name) => [name, [...heard[name]].sort()]));
console.log(JSON.stringify({ asked, calls: [...calls].sort(), ...listed }));
