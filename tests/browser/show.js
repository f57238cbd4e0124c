// Opens the pages that `kpolc show --html` made, in a real browser, and says what a reader would notice, as JSON.
//
//     node show.js PLAYWRIGHT CHROMIUM PAGE.html
//
// It drives an installed Chromium by playwright-core; no network is there, and none is needed.
"use strict";
const [playwright, executablePath, page] = process.argv.slice(2);
const { chromium } = require(playwright);
const url = require("node:url").pathToFileURL(page).href;

const seen = (view) =>
  view.evaluate(() => {
    const shown = (element) => element.getClientRects().length > 0;
    const rows = [...document.querySelectorAll("tbody tr")].filter(shown);
    return {
      calls: rows.map((row) => row.id),
      actions: [...new Set(rows.flatMap((row) => [...row.querySelectorAll("li")].filter(shown).map((li) => li.dataset.action)))],
      count: document.getElementById("count").textContent,
      tools: shown(document.getElementById("tools")),
      none: shown(document.getElementById("none")),
      hash: location.hash,
    };
  });

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 60000 });
  const said = { errors: [], requests: 0 };
  const open = async (options, hash = "") => {
    const view = await (await browser.newContext(options)).newPage();
    view.setDefaultTimeout(20000);
    view.on("console", (message) => said.errors.push(message.text()));
    view.on("pageerror", (error) => said.errors.push(String(error)));
    view.on("request", (request) => { said.requests += request.url().startsWith("file:") ? 0 : 1; });
    await view.goto(url + hash);
    return view;
  };
  try {
    const view = await open({});
    said.title = await view.title();
    said.all = await seen(view);
    await view.keyboard.press("/");
    await view.keyboard.type("socket");
    said.search = await seen(view);
    await view.keyboard.press("Escape");
    said.cleared = await seen(view);
    await view.selectOption("#action", "deny(EPERM)");
    said.denied = await seen(view);
    await view.check("#cond");
    said.conditional = await seen(view);
    await view.selectOption("#action", "");
    await view.uncheck("#cond");
    await view.fill("#text", "no call is called like this");
    said.nothing = await seen(view);
    said.linked = await seen(await open({}, "#q=socket&action=allow"));
    said.without = await seen(await open({ javaScriptEnabled: false }).then(async (view) => view));
    const colours = async (colorScheme) => {
      const view = await open({ colorScheme });
      return view.evaluate(() => getComputedStyle(document.body).backgroundColor);
    };
    said.paper = [await colours("light"), await colours("dark")];
    const narrow = await open({ viewport: { width: 360, height: 640 } });
    said.overflow = await narrow.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    const printed = await open({});
    await printed.emulateMedia({ media: "print" });
    said.printed = await seen(printed);
    // Names for every control, and headings for every column: what a screen reader says.
    said.unnamed = await view.evaluate(() => [...document.querySelectorAll("input, select")].filter((control) => !control.labels.length).length);
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(said));
})().catch((error) => { process.stderr.write(String(error)); process.exit(1); });
