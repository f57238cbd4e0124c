// One file of the extension and all that it needs, and beside it the licences of what is not ours.
//
//     dist/extension.js · dist/third-party.txt

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";

import * as esbuild from "esbuild";

const watch = process.argv.includes("--watch");
const context = await esbuild.context({
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  mainFields: ["module", "main"],
  minify: !watch,
  sourcemap: watch,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

/** The licence of each package that went into the bundle. One without a licence may not be shipped. */
function licences({ inputs }) {
  const folders = new Set(Object.keys(inputs).flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    if (!file) throw new Error(`${name} has no licence to ship`);
    return `${name} ${version} (${license})\n\n${readFileSync(path.join(folder, file), "utf8").trim()}\n`;
  });
}

if (watch) {
  await context.watch();
} else {
  const { metafile } = await context.rebuild();
  writeFileSync("dist/third-party.txt", licences(metafile).join(`\n${"-".repeat(80)}\n\n`));
  await context.dispose();
}
