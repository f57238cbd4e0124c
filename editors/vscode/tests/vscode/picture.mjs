// The picture of the manual: `docs/images/vscode.png`.
//
//     node picture.mjs RIG VSIX PROGRAMS OUT

import { start } from "./rig.mjs";

const WEB = `//! A small HTTP service.
default deny(EPERM)

include <base/runtime> // crun, runc, the C library
include <base/processes> // threads and children

const LOCAL = {AF_UNIX, AF_NETLINK}

/// What it does all day.
group @content {
    @stat,
    accept4, bind, listen, epoll_ctl,
    openat, getdents64, sendfile,
}

allow { @content, socket(family in LOCAL) }
deny  { bpf }
kill  { ptrace, @module } // that was taken over

assert "a worker cannot call out" { refused { connect } }
`;

const rig = await start({ files: { "web.kpol": WEB }, viewport: { width: 1200, height: 760 } });
const { page } = rig;
try {
  await rig.openFile("web.kpol");
  await page.keyboard.press("Control+B");
  await rig.command("kpol: Preview JSON");
  const preview = page.locator('.monaco-editor[data-uri^="kpol:/"]').first();
  await rig.until("the preview", async () => (await preview.innerText()).includes("defaultAction"));
  await rig.place("web.kpol", 17, 1);
  await page.keyboard.press("Shift+End");
  await page.keyboard.type("deny  { socket(family == AF_NETLINK) }");
  await page.locator(".squiggly-error").first().waitFor();
  await rig.until("what is wrong, in the preview", async () => (await preview.innerText()).includes("E040"));
  await rig.command("Problems: Focus on Problems View");
  await page.locator(".markers-panel .monaco-list-row", { hasText: "disagree" }).first().waitFor();
  await page.keyboard.press("Control+1");
  await page.locator(".codelens-decoration", { hasText: "has errors" }).first().waitFor();
  await page.locator(".codelens-decoration", { hasText: "1 use" }).first().waitFor();
  await rig.screenshot("picture");
} finally {
  await rig.stop();
}
