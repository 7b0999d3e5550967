// Tries the page in a browser: each view does its job, nothing is logged as an error, nothing is asked of anybody else, and
// axe finds no serious fault; at the width of a desk and of a phone, light and dark.
//
//     node test/page.mjs BROWSER SCREENSHOTS URL TOKEN-URL TOKEN
//
// The server at URL lets everybody do everything, and has the tables that scripts/page.py makes; the one at TOKEN-URL wants
// the token, a reader's.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { million } from "./million.mjs";
import { firstPaint } from "./paint.mjs";

const [, , executablePath, shots, url, tokenUrl, token] = process.argv;
mkdirSync(shots, { recursive: true });

const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
];
// Scrollbars are drawn: one is drawn with the mouse.
const browser = await chromium.launch({ executablePath, args, headless: true, ignoreDefaultArgs: ["--hide-scrollbars"] });
const began = Date.now();
const say = (text) => console.log(`page: ${text} (${((Date.now() - began) / 1000).toFixed(0)} s)`);

const LOOKS = {
  "desk-light": { viewport: { width: 1360, height: 900 }, colorScheme: "light" },
  "desk-dark": { viewport: { width: 1360, height: 900 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 390, height: 844 }, colorScheme: "light", hasTouch: true },
  "phone-dark": { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true },
};

/** A page that fails the test where something is logged, or somebody else is asked. `expected` is what may be logged. */
async function open(look, at, expected = /^$/) {
  const context = await browser.newContext({ ...LOOKS[look], reducedMotion: "reduce" });
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    const { url: of } = message.location();
    const text = `${message.text()} ${of}`;
    if (["error", "warning"].includes(message.type()) && !expected.test(text)) wrong.push(text);
  });
  page.on("pageerror", (error) => wrong.push(String(error.stack ?? error)));
  page.on("request", (request) => {
    const of = new URL(request.url());
    if (of.protocol.startsWith("http") && of.host !== new URL(at).host) wrong.push(`${request.url()} is elsewhere`);
  });
  return { context, page, wrong };
}

/** What axe finds that is serious or critical. */
async function accessible(page, where) {
  await page.evaluate(axe.source);
  const options = { resultTypes: ["violations"], runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } };
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  const told = serious.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 4).map((n) => `    ${n.html.slice(0, 160)}\n    ${n.any.map((a) => a.message).join("; ")}`).join("\n")}`);
  assert.equal(told.length, 0, `${where}: axe\n  ${told.join("\n  ")}`);
}

const shoot = (page, look, name) => page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true });

/** Nothing is wider than the page. */
async function fits(page, where) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${where}: ${over} points wider than the window`);
}

const goTo = async (page, hash) => {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, hash);
};

async function people(page) {
  const started = Date.now();
  await page.goto(`${url}/`);
  await page.locator(".count .number").first().waitFor();
  const shownAfter = Date.now() - started;
  // The frame that is painted before any script has come is the one that the scripts make.
  const frames = await page.evaluate(async () => {
    const early = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
    const parts = (of) => [...of.querySelectorAll(".brand, nav, nav a, footer, footer a")].map((part) => [part.textContent, part.getAttribute("href")]);
    return [parts(early), parts(document)];
  });
  assert.deepEqual(frames[0], frames[1]);
  // By the keyboard: to the content, and into the views.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), "To the content");
  await page.locator(".map path").nth(51).waitFor();
  assert.equal(await page.locator(".map svg path").count(), 52);
  await page.locator(".cards .card h3").nth(5).waitFor();
  // Everything that was sent until all of the view is there, with its heads.
  const [own, all] = await page.evaluate(() => {
    const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const sum = (parts) => parts.reduce((sum, part) => sum + part.transferSize, 0);
    return [sum(parts.filter((part) => !part.name.includes("/v1/"))), sum(parts)];
  });
  say(`a number after ${shownAfter} ms; ${(own / 1000).toFixed(0)} KB of the page over the wire, ${(all / 1000).toFixed(0)} KB with all that it shows`);
  assert.ok(own > 5_000 && all < 300_000, `${own} bytes, ${all} with the data`);
  const number = async () => Number((await page.locator(".count .number").innerText()).replace(/[^\d]/g, ""));
  assert.ok((await number()) > 250e6, "everybody");
  // Facts: a level, a range, a condition.
  await page.getByLabel("age from").fill("30");
  await page.getByLabel("age to").fill("45");
  await page.getByLabel("age to").blur();
  await page.locator(".facts").getByLabel("Female").check();
  await page.locator("summary", { hasText: "Occupation group" }).click();
  await page.getByLabel("And whatever else holds").fill("occupation LIKE '%engineer%'");
  await page.getByLabel("And whatever else holds").blur();
  const state = page.locator(".ranked button", { hasText: "California" });
  await page.waitForFunction(() => /P = 0\.000/.test(document.querySelector(".count")?.textContent ?? ""));
  await page.getByRole("button", { name: "How many" }).click();
  await state.first().click();
  await page.waitForFunction(() => location.hash.includes("state=CA"));
  const given = "age BETWEEN 30 AND 45 AND sex = 'Female' AND occupation LIKE '%engineer%' AND state = 'CA'";
  const exact = await page.evaluate(async (given) => {
    const body = JSON.stringify({ country: "usa", given });
    const headers = { "content-type": "application/json" };
    return (await fetch("/v1/probability", { method: "POST", body, headers })).json();
  }, given);
  const shown = Math.round(exact.people).toLocaleString("en");
  await page.locator(".count .number", { hasText: shown }).waitFor();
  assert.ok((await page.locator(".count").innerText()).includes(exact.probability.toPrecision(6)));
  await page.locator(".code code", { hasText: "state = 'CA'" }).waitFor();
  const statement = await page.locator(".code code").innerText();
  assert.match(statement, /^SELECT \* FROM generate_persona\('usa', 6, seed => \d+, given => /);
  // Those who were drawn before stay until these are there.
  await page.locator(".cards .card header p", { hasText: /, CA$/ }).nth(5).waitFor();
  for (const line of await page.locator(".cards .card header").allInnerTexts()) {
    assert.match(line, /(3\d|4[0-5]) · Female/);
    assert.match(line, /engineer/);
  }
  await page.locator(".pyramid .outline").first().waitFor();
  assert.equal(await page.locator(".bars .mark").first().isVisible(), true);
  // Others are drawn.
  const before = await page.locator(".cards h3").allInnerTexts();
  await page.getByRole("button", { name: "Draw others" }).click();
  await page.waitForFunction((before) => [...document.querySelectorAll(".cards h3")].map((h) => h.textContent).join() !== before.join(), before);
  // What cannot be asked is told.
  await page.getByLabel("And whatever else holds").fill("occupatio = 'x'");
  await page.getByLabel("And whatever else holds").blur();
  await page.locator(".facts .trouble", { hasText: "occupatio" }).waitFor();
  await page.getByLabel("And whatever else holds").fill("");
  await page.getByLabel("And whatever else holds").blur();
  await page.locator(".facts .trouble").waitFor({ state: "detached" });
  // They are kept as a table, by a run that is followed.
  await page.getByRole("button", { name: "Keep as a table" }).click();
  await page.getByLabel("Name of the table").fill("kept");
  await page.getByLabel("How many").fill("40");
  await accessible(page, "keep");
  await page.getByRole("button", { name: "Keep them" }).click();
  await page.locator("h1 .status.done").waitFor();
  assert.match(await page.locator(".figures").innerText(), /40 of 40/);
  say("people: narrowed, counted, mapped, drawn, kept");
}

async function tables(page) {
  await goTo(page, "#/tables");
  await page.locator(".tile", { hasText: "usa" }).first().waitFor();
  await page.locator(".tile", { hasText: "many" }).click();
  // Of many rows those are made that are seen, and any place is reached.
  const grid = page.locator(".grid");
  await grid.locator("tbody tr td", { hasText: /^1$/ }).first().waitFor();
  assert.equal(await grid.locator("table").getAttribute("aria-rowcount"), "20001");
  assert.ok((await grid.locator("tbody tr").count()) < 80);
  await grid.evaluate((box) => (box.scrollTop = box.scrollHeight));
  await grid.locator("tbody td.at", { hasText: "20000" }).waitFor();
  const last = grid.locator("tr[aria-rowindex='20001'] td").nth(1);
  await page.waitForFunction(() => !/…/.test(document.querySelector("tr[aria-rowindex='20001']")?.textContent ?? "…"));
  assert.ok((await last.innerText()).length > 0);
  await grid.focus();
  await page.keyboard.press("Home");
  await grid.locator("tbody td.at", { hasText: /^1$/ }).waitFor();
  // A filter, and a search by meaning and words.
  await goTo(page, "#/tables/usa");
  await page.getByLabel("Find people").fill("gardens and keeps bees");
  await page.getByLabel("Only those of whom").fill("age > 50");
  await page.getByRole("button", { name: "Find", exact: true }).click();
  await page.locator(".cards .why").nth(5).waitFor();
  for (const line of await page.locator(".cards header").allInnerTexts()) assert.ok(Number(/\n(\d+)\b/.exec(line)?.[1]) > 50, line);
  await page.getByRole("button", { name: "Words", exact: true }).click();
  await page.waitForFunction(() => location.hash.includes("by=words"));
  await page.locator(".cards .why a").first().click();
  // A person: texts, facts, checks, a twin, similar people.
  await page.locator(".told h2", { hasText: "In short" }).waitFor();
  assert.ok((await page.locator(".fact-list dt").count()) > 25);
  await page.locator("section", { hasText: "Similar people" }).locator(".card").nth(2).waitFor();
  await page.getByRole("button", { name: "Show the twin" }).click();
  await page.locator("table.plain tbody th", { hasText: /^sex$/ }).waitFor();
  await page.locator(".told", { hasText: "Checks" }).locator(".sound, .faults li").first().waitFor();
  say("tables: scrolled, searched, a person opened");
}

async function type(page, text) {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

async function query(page) {
  await goTo(page, "#/query");
  const run = () => page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".cm-content").waitFor();
  await type(page, "SELECT state, count(*) AS people FROM many GROUP BY state ORDER BY people DESC");
  await run();
  await page.getByText("52 rows in").waitFor();
  await page.getByRole("button", { name: "Chart" }).click();
  await page.locator(".chart svg rect").nth(40).waitFor();
  await accessible(page, "a chart");
  await page.getByRole("button", { name: "Map", exact: true }).click();
  assert.ok((await page.locator(".result-map path").first().waitFor(), await page.locator(".result-map path").count()) === 52);
  // A link holds the state.
  const here = page.url();
  assert.match(decodeURIComponent(here).replaceAll("+", " "), /count\(\*\) AS people/);
  await page.goto("about:blank");
  await page.goto(here);
  await page.locator(".cm-content", { hasText: "GROUP BY state" }).waitFor();
  // What is wrong is underlined where it is.
  await type(page, "SELECT age,\n  nam FROM many");
  await run();
  await page.locator(".trouble", { hasText: "nam" }).waitFor();
  await page.locator(".cm-lintRange-error", { hasText: /^nam$/ }).waitFor();
  // Functions, columns and levels are offered; what is typed over a selection too.
  await page.keyboard.press("Escape");
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("SELECT * FROM sample_pe", { delay: 20 });
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "sample_persona" }).waitFor();
  await page.keyboard.press("Escape");
  await type(page, "");
  await page.keyboard.type("SELECT * FROM usa WHERE state = 'V", { delay: 20 });
  await page.locator(".cm-tooltip-autocomplete li", { hasText: "VA" }).waitFor();
  await page.keyboard.press("Escape");
  // The plan, and what came before.
  await type(page, "SELECT count(*) AS n FROM usa");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.locator("pre", { hasText: "physical_plan" }).waitFor();
  // A recipe comes with its SQL.
  await page.getByLabel("Recipes").selectOption({ label: "evaluation panel" });
  await page.locator(".cm-content", { hasText: "stratified_sample" }).waitFor();
  await run();
  await page.getByText(/100 rows in/).waitFor();
  await page.getByRole("button", { name: "History" }).click();
  await page.locator("dialog code", { hasText: "GROUP BY state" }).waitFor();
  await page.keyboard.press("Escape");
  say("query: run, charted, mapped, completed, underlined, explained");
}

async function runs(page) {
  await goTo(page, "#/runs");
  // Killed in the middle; it goes on from there.
  await page.locator(".run-list a", { hasText: "killed" }).click();
  await page.locator("h1 .status.interrupted").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("h1 .status.running, h1 .status.done").first().waitFor();
  // One that takes long is followed while it goes on, and stopped.
  const id = await page.evaluate(async () => {
    const generate = { country: "usa", count: 2000000, table: "long", narrator: "none", seed: 1 };
    const response = await fetch("/v1/runs", { method: "POST", body: JSON.stringify({ generate }), headers: { "content-type": "application/json" } });
    return (await response.json()).id;
  });
  await goTo(page, `#/runs/${id}`);
  await page.locator("h1 .status.running").waitFor();
  await page.waitForFunction(() => Number(document.querySelector("progress")?.value) > 0);
  const first = await page.locator("progress").evaluate((p) => p.value);
  await page.waitForFunction((first) => Number(document.querySelector("progress")?.value) > first, first);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("h1 .status.cancelled").waitFor();
  // One whose model failed: what failed by kind, tokens, and another try.
  await goTo(page, "#/runs");
  await page.locator(".run-list a", { hasText: "modelled" }).click();
  await page.locator(".kinds td", { hasText: /\w/ }).first().waitFor();
  assert.match(await page.locator(".figures").innerText(), /tokens/);
  await page.getByRole("button", { name: "Retry what failed" }).waitFor();
  say("runs: followed, stopped, resumed");
}

async function trust(page) {
  await goTo(page, "#/trust?country=singapore&table=singapore");
  await page.locator(".lead", { hasText: "figures" }).nth(1).waitFor();
  assert.ok((await page.locator(".distances").count()) === 2);
  assert.ok((await page.locator(".distances").nth(1).locator("tr").count()) >= 10);
  assert.ok((await page.locator(".figure-table tbody tr").count()) > 10);
  await page.getByLabel("Find a figure").fill("marital");
  await page.waitForFunction(() => document.querySelectorAll(".figure-table tbody tr").length < 10);
  assert.ok((await page.locator(".sources li").count()) > 2);
  const report = await page.evaluate(async (path) => (await fetch(path)).status, await page.getByRole("link", { name: "The report" }).getAttribute("href"));
  assert.equal(report, 200);
  say("trust: compared, listed, reported");
}

/** Without a token nothing is told; with one, all that its role may. */
async function signIn() {
  const { context, page, wrong } = await open("desk-light", tokenUrl, /401/);
  await page.goto(`${tokenUrl}/`);
  await page.getByLabel("Token").waitFor();
  assert.equal(await page.locator(".count").count(), 0);
  await page.getByLabel("Token").fill(`${token}x`);
  await page.locator("dialog").getByRole("button", { name: "Sign in" }).click();
  await page.locator("dialog .trouble").waitFor();
  await accessible(page, "sign in");
  await page.getByLabel("Token").fill(token);
  await page.locator("dialog").getByRole("button", { name: "Sign in" }).click();
  await page.locator(".who", { hasText: "page · reader" }).waitFor();
  await page.locator(".count .number").waitFor();
  await page.locator(".cards h3").first().waitFor();
  await page.getByRole("button", { name: "Keep as a table" }).click();
  await page.getByText("You are a reader here").waitFor();
  // It is kept nowhere.
  const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));
  assert.ok(!stored.includes(token), "the token is stored");
  await context.close();
  assert.deepEqual(wrong, []);
  say("signed in with a token");
}

{
  const { page, empty, soonest, isInTime } = await firstPaint(browser, url);
  const told = `first paint after ${Math.round(page)} ms by the median, ${Math.round(soonest)} ms at the soonest; of an empty page after ${Math.round(empty)} ms`;
  say(told);
  assert.ok(isInTime, told);
}
const { context, page, wrong } = await open("desk-light", url, /status of 400|status of 404/);
try {
  await people(page);
  await tables(page);
  await million(page, say);
  await query(page);
  await runs(page);
  await trust(page);
} catch (error) {
  await page.screenshot({ path: join(shots, "failed.png"), fullPage: true });
  console.error(`page: at ${page.url()}; the screenshot is failed.png\n${wrong.join("\n")}`);
  throw error;
}
const person = await page.evaluate(async () => {
  const body = JSON.stringify({ statement: "SELECT uuid FROM usa ORDER BY uuid LIMIT 1" });
  const rows = await fetch("/v1/sql", { method: "POST", body, headers: { "content-type": "application/json" } });
  return (await rows.json()).rows[0].uuid;
});
await context.close();
assert.deepEqual(wrong, []);
await signIn();

const SEEN = {
  people: ["#/people?country=usa&sex=Female&age=25..40&education_level=graduate", ".cards h3, .ranked button, .pyramid .outline, .bars .mark"],
  tables: ["#/tables", ".tile"],
  rows: ["#/tables/usa", ".grid td.number"],
  person: [`#/tables/usa/${person}`, ".told h2"],
  query: ["#/query?sql=" + encodeURIComponent("SELECT state, count(*) AS people FROM many GROUP BY state ORDER BY people DESC LIMIT 15"), ".cm-line"],
  runs: ["#/runs", ".run-list li"],
  trust: ["#/trust?country=singapore", ".distances tr"],
};
for (const look of Object.keys(LOOKS)) {
  const { context, page, wrong } = await open(look, url);
  await page.goto(`${url}/`);
  for (const [name, [hash, ready]] of Object.entries(SEEN)) {
    await goTo(page, hash);
    for (const part of ready.split(", ")) await page.locator(part).first().waitFor();
    if (name === "query") {
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByText("15 rows in").waitFor();
      await page.getByRole("button", { name: "Chart" }).click();
      await page.locator(".chart svg rect").nth(10).waitFor();
    }
    await accessible(page, `${name}, ${look}`);
    await fits(page, `${name}, ${look}`);
    await shoot(page, look, name);
  }
  await context.close();
  assert.deepEqual(wrong, [], look);
  say(`${look}: looked at`);
}
await browser.close();
say(`done; the screenshots are in ${shots}`);
