// A VS Code of its own in a folder of its own, and a browser in front of it.
//
//     const rig = await start({ files: { "web.kpol": "default deny\n" }, settings: {} });
//     await rig.openFile("web.kpol");
//     await rig.stop();
//
// Everything waits for what a person would wait for: a text, a list, a colour. Nothing waits for a time.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";

// So long that only what never comes is missed, on a busy machine too.
const PATIENCE = 60_000;
// After so long a person presses a key again.
const ANEW = 10_000;

const VIEWPORT = { width: 1280, height: 800 };

/** What any user could have set; the rest is as it comes, but for what moves or phones home. */
const SETTINGS = {
  "security.workspace.trust.enabled": false,
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.colorTheme": "Default Dark Modern",
  "workbench.reduceMotion": "on",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "window.commandCenter": false,
  "chat.disableAIFeatures": true,
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.ignoreRecommendations": true,
  "extensions.autoCheckUpdates": false,
  "git.openRepositoryInParentFolders": "never",
  "files.simpleDialog.enable": true,
  "editor.minimap.enabled": false,
  "editor.cursorBlinking": "solid",
  "editor.accessibilitySupport": "off",
};

export function parseArguments() {
  const [rig, vsix, programs, out] = process.argv.slice(2);
  if (!out) throw new Error("usage: drive.mjs RIG VSIX PROGRAMS OUT");
  return { rig, vsix, programs, out };
}

const { rig, vsix, programs, out } = parseArguments();
const { chromium } = createRequire(path.resolve(rig, "package.json"))("playwright-core");
const node = path.resolve(rig, "bin/node");
const entry = path.resolve(rig, "node_modules/code-server/out/node/entry.js");

function chromiumPath() {
  return execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser || command -v google-chrome"], { encoding: "utf8" }).trim();
}

/** Starts the server; its address is what it says on its output. */
function serve(folder, environment) {
  const words = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
  const folders = ["--user-data-dir", path.join(folder, "data"), "--extensions-dir", path.join(folder, "extensions")];
  const config = ["--config", path.join(folder, "config.yaml")];
  writeFileSync(path.join(folder, "config.yaml"), "");
  const install = [entry, ...config, ...folders, "--install-extension", path.resolve(vsix)];
  execFileSync(node, install, { env: environment, stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE });
  // A group of its own, so that the extension host ends with it.
  const child = spawn(node, [entry, ...config, ...folders, ...words], { env: environment, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  const address = new Promise((resolve, reject) => {
    const hear = (data) => {
      said += data;
      const found = /listening on (http:\/\/[^\s/]+)/i.exec(said);
      if (found) resolve(found[1]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => reject(new Error(`the VS Code server ended with ${code}:\n${said}`)));
  });
  return { child, address, log: () => said };
}

export async function start({ files, settings = {}, viewport = VIEWPORT }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "kpol-vscode-"));
  const workspace = path.join(folder, "policies");
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(workspace, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  // A history, where there is git.
  const git = (...words) => spawnSync("git", ["-C", workspace, "-c", "user.name=kpol", "-c", "user.email=kpol@localhost", ...words], { stdio: "ignore" }).status === 0;
  const committed = git("init", "--quiet") && git("add", ".") && git("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message=Begin");
  // Where programs are is a matter of the machine that has them, not of the user in front of it.
  const set = { User: { ...SETTINGS, ...settings }, Machine: { "kpol.server.path": path.resolve(programs) } };
  for (const [whose, values] of Object.entries(set)) {
    mkdirSync(path.join(folder, "data", whose), { recursive: true });
    writeFileSync(path.join(folder, "data", whose, "settings.json"), JSON.stringify(values));
  }
  // The extension host asks a login shell for its environment unless it was started from a terminal; the profile of root
  // would take the PATH away.
  const environment = { ...process.env, HOME: folder, XDG_CACHE_HOME: path.join(folder, "cache"), XDG_CONFIG_HOME: path.join(folder, "config"), XDG_DATA_HOME: path.join(folder, "share"), VSCODE_CLI: "1" };
  const server = serve(folder, environment);
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-dev-shm-usage"], timeout: PATIENCE });
  const context = await browser.newContext({ viewport, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${await server.address}/?folder=${encodeURIComponent(workspace)}`, { timeout: PATIENCE });
  await page.locator(".monaco-workbench .part.statusbar").waitFor();
  await page.locator(".explorer-folders-view .monaco-list-row").first().waitFor();
  return new Rig({ committed, folder, workspace, server, browser, page });
}

class Rig {
  constructor(parts) {
    Object.assign(this, parts);
  }

  read(name) {
    return readFileSync(path.join(this.workspace, name), "utf8");
  }

  /** The editor that has this file. */
  editor(name) {
    return this.page.locator(`.editor-instance:has(.monaco-editor[data-uri*="${name.replaceAll(" ", "%20")}"]), .editor-instance .monaco-editor[data-uri*="${encodeURI(name)}"]`).first();
  }

  /** Its text, as far as it is on the screen: other lines are not in the page. */
  async text(name) {
    const lines = await this.editor(name).locator(".view-line").evaluateAll((lines) =>
      lines
        .map((line) => [parseFloat(line.style.top), line.textContent])
        .sort((a, b) => a[0] - b[0])
        .map(([, text]) => text.replaceAll("\u00a0", " ")),
    );
    return lines.join("\n");
  }

  /** Waits until a text is there, or is not. */
  async until(what, holds, patience = PATIENCE) {
    const end = Date.now() + patience;
    let last;
    for (;;) {
      last = await holds();
      if (last === true) return;
      if (Date.now() > end) throw new Error(`in vain: ${what}${last ? `; there is:\n${last}` : ""}`);
      // Until the next frame is drawn.
      await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    }
  }

  untilText(name, words) {
    return this.until(`${words} in ${name}`, async () => {
      const text = await this.text(name);
      return (words instanceof RegExp ? words.test(text) : text.includes(words)) || text;
    });
  }

  /** Does something until it shows: what is done while the editor is busy may be lost, and a person does it again. */
  async insist(locator, does) {
    for (let left = PATIENCE / ANEW; ; left--) {
      await does();
      try {
        await locator.waitFor({ timeout: ANEW });
        return;
      } catch (error) {
        if (left <= 1) throw error;
        await this.page.keyboard.press("Escape");
      }
    }
  }

  press(key, locator) {
    return this.insist(locator, () => this.page.keyboard.press(key));
  }

  /** Points at a word. */
  point(name, word, locator) {
    return this.insist(locator, async () => {
      await this.page.mouse.move(0, 0);
      await this.word(name, word).hover();
    });
  }

  /** Waits for a suggestion, and asks for it if it does not come by itself. */
  async suggested(word) {
    const row = this.page.locator(".suggest-widget.visible .monaco-list-row", { hasText: word }).first();
    await row.waitFor({ timeout: ANEW }).catch(() => this.press("Control+Space", row));
  }

  /** As by Ctrl+P. */
  async openFile(name) {
    const input = this.page.locator(".quick-input-widget input").first();
    await this.press("Control+P", input);
    await input.fill(name);
    await this.page.locator(`.quick-input-list .monaco-list-row[aria-label^="${path.basename(name)}"]`).first().click();
    await this.page.locator(".tabs-container .tab.active", { hasText: path.basename(name) }).first().waitFor();
    await this.editor(name).locator(".view-line").first().waitFor();
  }

  /** As by Ctrl+Shift+P. */
  async command(title) {
    const input = this.page.locator(".quick-input-widget input").first();
    await this.press("F1", input);
    await input.fill(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row.focused", { hasText: title }).waitFor();
    await this.page.keyboard.press("Enter");
  }

  /** Puts the cursor at the first place of some text, `after` characters into it, as by a jump to line and column. */
  async place(name, line, column) {
    await this.openFile(name);
    const input = this.page.locator(".quick-input-widget input").first();
    await this.press("Control+G", input);
    await input.fill(`:${line}:${column}`);
    await this.page.keyboard.press("Enter");
    await this.until("the cursor is there", async () => {
      const status = await this.page.locator(".part.statusbar").innerText();
      return new RegExp(`Ln ${line}, Col ${column}\\b`).test(status) || status;
    });
  }

  /** The word in the text, to point at. */
  word(name, text) {
    return this.editor(name).locator(".view-line span span", { hasText: text }).first();
  }

  async screenshot(name) {
    await this.page.screenshot({ path: path.join(out, `${name}.png`) });
  }

  async stop() {
    await this.browser.close();
    this.server.child.removeAllListeners("exit");
    const ended = new Promise((done) => this.server.child.on("exit", done));
    try {
      process.kill(-this.server.child.pid, "SIGTERM");
    } catch {
      // It has ended already.
    }
    await ended;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
