// What a person does with the extension in VS Code, step by step, in a real one.
//
//     node drive.mjs RIG VSIX PROGRAMS OUT
//
// Each step leaves a picture in OUT; the one that fails leaves `failed.png` and what VS Code logged. The steps build on
// each other, like a session at the desk.

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";

import { parseArguments, start } from "./rig.mjs";

const { out, programs } = parseArguments();
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const WEB = `//! A small HTTP service.
default deny(EPERM)

include <base/runtime> // what crun, runc and the C library need
include "lib/groups.kpol"

const FAMILIES = {AF_UNIX, AF_INET, AF_INET6}

/// What it listens with.
group @listen {
    socket(family in FAMILIES, type & SOCK_TYPE_MASK == SOCK_STREAM),
    bind, listen, accept4,
}

allow { @listen, @content }
kill { ptrace, @module } // whoever tries that was taken over

assert "a worker cannot call out" { refused { connect } }
`;
const GROUPS = `/// What it serves, and where it logs.
group @content {
    @stat,
    openat, getdents64, sendfile,
}
`;
const BROKEN = `default deny(EPERM)
include <base/runtime>
allow { @default, opnat, read(fdd == 1) }
`;
const LOOSE = `default deny(EPERM)
include <base/runtime>
allow{ epoll_pwait,socket(family==AF_UNIX) }
`;
const PROFILE = `{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }] }
`;

const rig = await start({ files: { "web.kpol": WEB, "lib/groups.kpol": GROUPS, "broken.kpol": BROKEN, "loose.kpol": LOOSE, "new.kpol": "", "profile.json": PROFILE, "kpol.toml": "[lints]\nW010 = \"allow\"\n" } });
const { page } = rig;
const keys = page.keyboard;
let count = 0;

async function step(name, does) {
  const began = Date.now();
  await does();
  count += 1;
  await rig.screenshot(`${String(count).padStart(2, "0")}-${name.replaceAll(" ", "-")}`);
  console.log(`ok ${count} ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

/** The colour of a word. */
const colour = (name, word) => rig.word(name, word).evaluate((span) => getComputedStyle(span).color);
const statusItem = page.locator(".part.statusbar .statusbar-item", { hasText: "kpol" });
// As fast as a person. Faster than any, VS Code now and then loses its own list.
const typed = (text) => keys.type(text, { delay: 40 });
const view = (title) => page.locator(".tabs-container .tab", { hasText: title });
const messages = page.locator(".notifications-toasts .notification-list-item");

/** Where the text of a view is: its address holds its title. */
async function viewText(title) {
  const editor = page.locator(`.monaco-editor[data-uri^="kpol:/"][data-uri*="${encodeURI(title).replaceAll("(", "%28").replaceAll(")", "%29")}"]`).first();
  if (!(await editor.count())) return "";
  const lines = await editor.locator(".view-line").evaluateAll((lines) => lines.map((line) => [parseFloat(line.style.top), line.textContent]).sort((a, b) => a[0] - b[0]).map(([, text]) => text.replaceAll("\u00a0", " ")));
  // Long lines are wrapped.
  return lines.join(" ").replace(/ +/g, " ");
}
const untilView = (title, words) =>
  rig.until(`${words} in ${title}`, async () => {
    const text = await viewText(title);
    return (words instanceof RegExp ? words.test(text) : text.includes(words)) || text || "nothing";
  });

async function session() {
  await step("a folder and a file are opened", async () => {
    await page.locator(".explorer-folders-view .monaco-list-row", { hasText: "web.kpol" }).dblclick();
    await rig.untilText("web.kpol", "A small HTTP service.");
    await statusItem.first().waitFor();
    await rig.until("the server is ready", async () => (await statusItem.locator(".codicon-shield").count()) > 0);
    // Lenses are the server's: what the policy allows.
    await page.locator(".codelens-decoration", { hasText: /allows \d+ of \d+ on x86_64/ }).first().waitFor();
  });

  await step("every kind of word has its colour", async () => {
    const words = ["default", "allow", "ptrace", "@listen", "family", "AF_UNIX", "//!"];
    await rig.until("seven colours", async () => {
      const seen = await Promise.all(words.map((word) => colour("web.kpol", word)));
      return new Set(seen).size === words.length || words.map((word, at) => `${word} ${seen[at]}`).join("\n");
    });
    assert.equal(await colour("web.kpol", "kill"), await colour("web.kpol", "allow"), "actions are alike");
  });

  await step("a mistake is underlined and says why", async () => {
    await rig.openFile("broken.kpol");
    await page.locator(".squiggly-error").nth(1).waitFor();
    await rig.point("broken.kpol", "opnat", page.locator(".monaco-hover:visible", { hasText: "no syscall `opnat` on any architecture" }));
  });

  await step("the list of problems has it", async () => {
    await keys.press("Escape");
    await rig.command("Problems: Focus on Problems View");
    const problems = page.locator(".markers-panel .monaco-list-row");
    await problems.filter({ hasText: "no syscall `opnat` on any architecture" }).waitFor();
    const parameter = problems.filter({ hasText: "`read` has no parameter `fdd`" });
    await parameter.waitFor();
    assert.match(await parameter.innerText(), /E031/, "with its code");
  });

  await step("a quick fix mends it", async () => {
    await rig.place("broken.kpol", 3, 20);
    const fix = page.locator(".action-widget .monaco-list-row", { hasText: "openat" }).first();
    await rig.press("Control+.", fix);
    await rig.screenshot("quick-fix");
    await fix.click();
    await rig.untilText("broken.kpol", "allow { @default, openat, read(fdd == 1) }");
    await rig.until("one mistake is left", async () => (await page.locator(".squiggly-error").count()) === 1);
  });

  await step("a completion is accepted by Tab", async () => {
    await rig.place("broken.kpol", 3, 26);
    await typed(" socket(fam");
    await rig.suggested("family");
    await keys.press("Tab");
    await rig.untilText("broken.kpol", "socket(family");
    await typed(" == AF_UNI");
    await rig.suggested("AF_UNIX");
    await rig.screenshot("completion");
    await keys.press("Tab");
    // The bracket that was closed by itself is typed over.
    await keys.type("),");
    await rig.untilText("broken.kpol", "socket(family == AF_UNIX), read(");
  });

  await step("a hover tells what a call does", async () => {
    await keys.press("Escape");
    await keys.press("Control+J");
    await page.locator(".markers-panel").waitFor({ state: "hidden" });
    await rig.openFile("web.kpol");
    const hover = page.locator(".monaco-hover:visible");
    await rig.point("web.kpol", "ptrace", hover.filter({ hasText: "kill" }).first());
    const text = await hover.first().innerText();
    assert.match(text, /ptrace\(.*request/s, `the prototype: ${text}`);
    assert.match(text, /101/, `its number: ${text}`);
  });

  await step("a definition is found over an include", async () => {
    await rig.place("web.kpol", 15, 21);
    await rig.press("F12", page.locator(".tabs-container .tab.active", { hasText: "groups.kpol" }));
    await rig.untilText("lib/groups.kpol", "group @content");
    await rig.until("the cursor is at the definition", async () => /Ln 2, Col 7/.test(await page.locator(".part.statusbar").innerText()));
    await rig.place("web.kpol", 4, 15);
    await rig.press("F12", page.locator(".tabs-container .tab.active", { hasText: "runtime.kpol" }));
  });

  await step("a rename reaches both files", async () => {
    await rig.place("web.kpol", 15, 21);
    const input = page.locator(".rename-box input, .rename-input").first();
    await rig.press("F2", input);
    await input.fill("@served");
    await rig.screenshot("rename");
    await keys.press("Enter");
    await rig.untilText("web.kpol", "allow { @listen, @served }");
    await rig.command("File: Save All Files");
    await rig.until("both are on the disk", async () => (rig.read("web.kpol").includes("@served }") && rig.read("lib/groups.kpol").includes("group @served {")) || rig.read("lib/groups.kpol"));
    await rig.openFile("groups.kpol");
    await rig.untilText("lib/groups.kpol", "group @served");
  });

  await step("lines go on as they begin", async () => {
    await rig.openFile("new.kpol");
    // Each as typed: what closes itself is typed over, and a list of words does not take the Enter for itself.
    await typed("//! One");
    await keys.press("Enter");
    await typed("two");
    await keys.press("Enter");
    await keys.press("Shift+Home");
    await keys.press("Backspace");
    await typed("default deny");
    await keys.press("Enter");
    await typed("allow {");
    await keys.press("Enter");
    await typed("@default,");
    await rig.untilText("new.kpol", "//! One\n//! two\ndefault deny\nallow {\n    @default,\n}");
    await keys.press("Escape");
    await keys.press("Control+S");
  });

  await step("a JSON profile stays JSON", async () => {
    await rig.openFile("profile.json");
    await page.locator(".part.statusbar .statusbar-item", { hasText: /^JSON$/ }).waitFor();
    await page.locator(".part.statusbar [id='kpol.kpol.status']").waitFor({ state: "hidden" });
  });

  await step("saving formats", async () => {
    await rig.place("loose.kpol", 3, 1);
    await keys.type("  ");
    await keys.press("Control+S");
    await rig.until("the one style on the disk", async () => rig.read("loose.kpol").includes("\nallow { epoll_pwait, socket(family == AF_UNIX) }\n") || rig.read("loose.kpol"));
    await rig.untilText("loose.kpol", "allow { epoll_pwait, socket(family == AF_UNIX) }");
  });

  await step("a lens leads to the uses of a group", async () => {
    await rig.openFile("web.kpol");
    await page.locator(".codelens-decoration a", { hasText: "1 use" }).first().click();
    await page.locator(".peekview-widget", { hasText: "web.kpol" }).waitFor();
  });

  await step("the JSON follows the policy", async () => {
    await keys.press("Escape");
    await page.locator(".peekview-widget").waitFor({ state: "detached" });
    await page.locator(".codelens-decoration a", { hasText: /^BPF$/ }).first().click();
    await view("web.asm (preview)").waitFor();
    await rig.openFile("web.kpol");
    await rig.command("kpol: Preview JSON");
    await view("web.json (preview)").waitFor();
    await untilView("web.json", '"defaultAction": "SCMP_ACT_ERRNO"');
    await rig.place("web.kpol", 2, 20);
    await keys.press("Home");
    await keys.press("Shift+End");
    await keys.type("default kill");
    await untilView("web.json", '"defaultAction": "SCMP_ACT_KILL_PROCESS"');
  });

  await step("with a mistake it keeps what was right", async () => {
    await keys.type(" nonsense");
    await untilView("web.json", "web.kpol as it was before this:");
    await untilView("web.json", '"defaultAction": "SCMP_ACT_KILL_PROCESS"');
    for (let at = 0; at < " nonsense".length; at++) await keys.press("Backspace");
    await untilView("web.json", /^\{/);
  });

  await step("the listing names calls and rules", async () => {
    await rig.command("kpol: Preview BPF Listing");
    await view("web.asm (preview)").waitFor();
    await untilView("web.asm", "; calls of every other ABI end the process");
    await untilView("web.asm", /jeq\s+#0xc000003e/);
  });

  await step("a call is explained before it is saved", async () => {
    await rig.command("kpol: Explain a Call…");
    const input = page.locator(".quick-input-widget input").first();
    await input.waitFor();
    await input.fill("socket(AF_NETLINK, SOCK_RAW, 0)");
    await keys.press("Enter");
    await untilView("in web", "socket(AF_NETLINK, SOCK_RAW, 0) on x86_64, aarch64: kill");
    await untilView("in web", "web.kpol:2:9");
    // The place is a link.
    await page.locator(".detected-link", { hasText: "web.kpol:2:9" }).waitFor();
  });

  await step("two policies are compared", async () => {
    await rig.command("kpol: Compare with…");
    const input = page.locator(".quick-input-widget input").first();
    await input.waitFor();
    await input.fill("loose");
    await page.locator(".quick-input-list .monaco-list-row", { hasText: "loose.kpol" }).waitFor();
    await rig.screenshot("compare");
    await keys.press("Enter");
    await view("loose.kpol → web").waitFor();
    await untilView("loose.kpol", "from loose.kpol to web.kpol");
  });

  if (rig.committed) {
    await step("what was changed since the last commit", async () => {
      await rig.openFile("web.kpol");
      await rig.command("kpol: Compare with…");
      await page.locator(".quick-input-list .monaco-list-row", { hasText: "Last commit" }).click();
      await untilView("last commit", "from HEAD:web.kpol to web.kpol");
      await untilView("last commit", "deny(EPERM) → kill");
    });
  }

  await step("a new policy is there to be filled in", async () => {
    await rig.command("kpol: New Policy");
    await page.locator(".tabs-container .tab.active", { hasText: "Untitled" }).waitFor();
    await rig.untilText("Untitled", "deny(ENOSYS) { clone3 }");
    await keys.type("Whom it is for");
    await rig.untilText("Untitled", "//! Whom it is for");
    // What it has of its own is right.
    await page.locator(".codelens-decoration", { hasText: /allows \d+ of \d+ on x86_64/ }).first().waitFor();
    assert.equal(await page.locator(".editor-instance .squiggly-error, .editor-instance .squiggly-warning").count(), 0);
    await rig.screenshot("new-policy");
    // Out of the way.
    await rig.command("View: Close All Editors");
    await page.getByRole("button", { name: "Don't Save" }).click();
    await page.locator(".tabs-container .tab").first().waitFor({ state: "detached" });
  });

  await step("the server starts anew", async () => {
    await rig.openFile("broken.kpol");
    await rig.command("kpol: Restart Language Server");
    await rig.until("the server is ready", async () => (await statusItem.locator(".codicon-shield").count()) > 0);
    await page.locator(".squiggly-error").first().waitFor();
  });

  await step("without a server it says what to do", async () => {
    setServerPath("/nowhere/at-all");
    const message = messages.filter({ hasText: "kpol.server.path says /nowhere/at-all, and there is no program there." });
    await message.waitFor();
    await message.hover();
    await rig.screenshot("missing");
    await message.getByRole("button", { name: "How to Install" }).click();
    await page.locator(".gettingStartedContainer", { hasText: "Have kpolc" }).waitFor();
    // Beside the step, where there is room, what to type.
    await keys.press("Control+B");
    await page.frameLocator("iframe.webview.ready").frameLocator("#active-frame").getByText("cargo install --locked --path lsp").waitFor();
  });

  await step("and is back when there is one", async () => {
    setServerPath(path.resolve(programs));
    await rig.openFile("broken.kpol");
    await page.locator(".squiggly-error").first().waitFor();
  });
}

/** Writes the machine's settings, as the settings page does. */
function setServerPath(value) {
  writeFileSync(path.join(rig.folder, "data/Machine/settings.json"), JSON.stringify({ "kpol.server.path": value }));
}

try {
  await session();
} catch (error) {
  await rig.screenshot("failed").catch(() => undefined);
  console.error(`not ok ${count + 1}: ${error.stack ?? error}`);
  console.error(rig.server.log().split("\n").slice(-20).join("\n"));
  process.exitCode = 1;
} finally {
  await rig.stop();
}
