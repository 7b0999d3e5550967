// A table of a million rows: whoever scrolls to a place finds the rows of that place there, within a second, and no more
// of them are made than are seen.

import assert from "node:assert/strict";

const ROWS = 1_000_000;
/** Half of the jumps take no longer, in milliseconds, and none as long as the second: the machine may be busy. */
const [LONG, TOO_LONG] = [1_000, 10_000];

async function sql(page, statement) {
  return page.evaluate(async (statement) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch("/v1/sql", { method: "POST", body: JSON.stringify({ statement }), headers });
    return (await response.json()).rows;
  }, statement);
}

/** The places of the first and the last row that are seen whole, whether all that are seen have come, and how many elements there are. */
const seen = (page) =>
  page.evaluate(() => {
    const box = document.querySelector(".grid");
    const { top } = box.getBoundingClientRect();
    const [from, to] = [top + box.querySelector("thead").clientHeight, top + box.clientHeight];
    const rows = [...box.querySelectorAll("tbody tr[aria-rowindex]")].map((row) => ({ row, at: row.getBoundingClientRect() }));
    const all = rows.filter(({ at }) => at.bottom > from && at.top < to);
    const whole = all.filter(({ at }) => at.top >= from - 1 && at.bottom <= to + 2);
    const place = (of) => Number(of?.row.getAttribute("aria-rowindex")) - 1;
    return {
      first: place(whole[0]),
      last: place(whole.at(-1)),
      isThere: whole.length > 5 && all.every(({ row }) => row.cells[1].textContent !== "…"),
      elements: document.querySelectorAll("*").length,
    };
  });

/** Does something, and waits until the first row that is seen is one of these, and all that are seen have come. */
async function jump(page, what, [from, to], act) {
  const since = Date.now();
  await act();
  for (;;) {
    const at = await seen(page);
    const took = Date.now() - since;
    const isDone = at.isThere && at.first >= from && at.first <= to;
    assert.ok(took < TOO_LONG, `${what} takes longer than ${took} ms: ${JSON.stringify(at)}`);
    if (isDone) {
      assert.ok(at.last - at.first < 60 && at.elements < 3_000, `${what}: ${JSON.stringify(at)}`);
      return { ...at, took };
    }
    await page.waitForTimeout(15);
  }
}

/** All keys, in their order. */
async function keys(page) {
  const found = await page.context().request.post(new URL("/v1/sql", page.url()).href, {
    data: { statement: "SELECT uuid FROM million ORDER BY uuid", format: "csv" },
  });
  return (await found.text()).trim().split("\n").slice(1);
}

/** The rows that are seen are those which SQL has at their places. */
async function areRight(page, sorted, what, { first, last }) {
  const places = [first, last];
  const cells = await page.evaluate((places) => {
    const names = [...document.querySelectorAll(".grid thead th")].map((th) => th.textContent);
    const row = (place) => document.querySelector(`.grid tr[aria-rowindex="${place + 1}"]`);
    return places.map((place) => Object.fromEntries(names.map((name, at) => [name, row(place).cells[at].textContent])));
  }, places);
  const wanted = places.map((place) => sorted[place - 1]);
  assert.deepEqual(cells.map((row) => row["uuid"]), wanted, what);
  const listed = wanted.map((uuid) => `'${uuid}'`).join(", ");
  const found = await sql(page, `SELECT first_name, age FROM million WHERE uuid IN (${listed}) ORDER BY uuid`);
  const shown = cells.map((row) => ({ first_name: row["first name"], age: Number(row["age"]) }));
  assert.deepEqual(shown, found, what);
}

async function middleOf(box) {
  const { x, y, width, height } = await box.boundingBox();
  return [x + width / 2, y + height / 2];
}

export async function million(page, say) {
  const began = Date.now();
  await page.evaluate(() => {
    location.hash = "#/tables/million";
  });
  await page.locator(".grid tbody td.at", { hasText: /^1$/ }).waitFor();
  const opened = Date.now() - began;
  await page.locator(".menu summary").click();
  await page.locator(".menu").getByLabel("uuid", { exact: true }).check();
  await page.locator(".menu summary").click();
  const sorted = await keys(page);
  assert.equal(sorted.length, ROWS);
  const box = page.locator(".grid");
  const took = [];
  const go = async (what, first, act) => {
    const at = await jump(page, what, first, act);
    took.push(at.took);
    await areRight(page, sorted, what, at);
    return at;
  };
  const press = async (key, times = 1) => {
    for (let i = 0; i < times; i++) await page.keyboard.press(key);
  };
  // Chromium drops the first step right after a bar was drawn.
  const wheel = async (rows) => {
    const { first } = await seen(page);
    for (let tries = 0; (await seen(page)).first === first; tries++) {
      assert.ok(tries < 20, `the wheel does not move the rows from ${first}`);
      await page.mouse.wheel(0, Math.sign(rows) * 34);
      await page.waitForTimeout(100);
    }
    const from = (await seen(page)).first;
    await go("the wheel", [from + rows, from + rows], () => page.mouse.wheel(0, rows * 34));
    return from + rows;
  };
  // By keys: to the end, and back; pages and rows.
  await box.focus();
  const end = await go("End", [ROWS - 60, ROWS], () => press("End"));
  assert.equal(end.last, ROWS);
  await page.mouse.move(...(await middleOf(box)));
  await wheel(-100);
  await press("End");
  await go("PageUp", [end.first - 60, end.first - 20], () => press("PageUp", 3));
  await go("Home", [1, 1], () => press("Home"));
  await go("ArrowDown", [10, 39], () => press("ArrowDown", 39));
  // By the bar, which is drawn with the mouse: by its thumb, of 18 points, which moves between two arrows of 17.
  const draw = async (from, to) => {
    const { x, y, width } = await box.boundingBox();
    const high = await box.evaluate((box) => box.clientHeight);
    const place = (part) => y + 24 + part * (high - 45);
    await page.mouse.move(x + width - 8, place(from));
    await page.mouse.down();
    await page.mouse.move(x + width - 8, place((from + to) / 2));
    await page.mouse.move(x + width - 8, place(to));
    await page.mouse.up();
    await page.mouse.move(...(await middleOf(box)));
  };
  await go("the bar, to the middle", [ROWS * 0.4, ROWS * 0.6], () => draw(0, 0.5));
  // A small step is one of rows there too: a wheel passes over none of them.
  const next = await wheel(10);
  // The bar is put right without a move of the rows.
  const top = await box.evaluate((box) => box.scrollTop);
  await page.waitForFunction((top) => document.querySelector(".grid").scrollTop !== top, top);
  assert.equal((await seen(page)).first, next);
  await go("the bar, to the end", [ROWS - 60, ROWS], () => draw(0.5, 1));
  await go("the bar, to the top", [1, 1], () => draw(1, 0));
  took.sort((a, b) => a - b);
  const middle = took[took.length >> 1];
  say(`a million rows: opened in ${opened} ms; ${took.length} jumps of ${middle} ms by their median, ${took.at(-1)} ms at most`);
  assert.ok(middle < LONG, `jumps take ${middle} ms`);
}
