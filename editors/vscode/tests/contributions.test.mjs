// What package.json promises, held against the programs that it is about.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { after, test } from "node:test";

import { programs, root, sections } from "./fixtures.mjs";

const extension = path.resolve(import.meta.dirname, "..");
const { contributes } = JSON.parse(readFileSync(path.join(extension, "package.json"), "utf8"));
const schema = path.join(extension, "schemas/kpol.schema.json");
const kpolc = path.join(programs, "kpolc");
const skip = existsSync(kpolc) ? false : `no kpolc in ${programs}`;
const folder = mkdtempSync(path.join(os.tmpdir(), "kpol-contributions-"));
after(() => rmSync(folder, { recursive: true }));

const write = (name, text) => writeFileSync(path.join(folder, name), text);
const run = (words, options = {}) => spawnSync(kpolc, words, { cwd: folder, encoding: "utf8", ...options });
/** Whether a text has no mistakes of syntax: only then is it formatted. */
const isPolicy = (text) => run(["fmt", "-"], { input: text }).stdout !== "";

test("the problem matcher reads what a task prints", { skip }, () => {
  write("broken.kpol", "default deny\nallow { @default, opnat }\nkill { execve, poll }\narch aarch64\n");
  // As `src/tasks.ts` puts it.
  const { stdout, stderr } = run(["check", "--format", "concise", "--", "broken.kpol"]);
  const [{ pattern }] = contributes.problemMatchers;
  const found = `${stdout}${stderr}`.split("\n").flatMap((line) => {
    const match = new RegExp(pattern.regexp).exec(line);
    return match ? [[match[pattern.file], match[pattern.line], match[pattern.column], match[pattern.severity], match[pattern.code]].join(" ")] : [];
  });
  assert.ok(found.includes("broken.kpol 2 19 error E030"), found.join("\n"));
  assert.ok(found.some((one) => /^broken\.kpol 3 \d+ warning W001$/.test(one)), found.join("\n"));
  rmSync(path.join(folder, "broken.kpol"));
  write("web.kpol", "default deny\nallow { @default, execve }\n");
  assert.equal(run(["build", "--format", "concise", "--", "web.kpol"]).status, 0);
  assert.ok(existsSync(path.join(folder, "web.json")));
});

test("snippets are of the language", { skip }, () => {
  const snippets = JSON.parse(readFileSync(path.join(extension, "snippets/kpol.json"), "utf8"));
  for (const [name, { body, prefix }] of Object.entries(snippets)) {
    const text = body
      .join("\n")
      .replace(/\$\{\d+\|([^,|]*)[^|]*\|\}/g, "$1")
      .replace(/\$\{\d+:([^}]*)\}/g, "$1")
      .replace(/\$\d+/g, "");
    assert.ok(isPolicy(`${text}\n`) || isPolicy(`allow { ${text} }\n`), `${name}:\n${text}`);
    assert.match(prefix, /^[a-z0-9]+$/);
  }
});

test("the walkthrough shows policies that are some", { skip }, () => {
  for (const page of readdirSync(path.join(extension, "walkthrough"))) {
    for (const [, block] of readFileSync(path.join(extension, "walkthrough", page), "utf8").matchAll(/^```kpol\n(.*?)^```/gms)) {
      assert.ok(isPolicy(block), `${page}:\n${block}`);
    }
  }
});

test("warnings and capabilities are those that there are", { skip }, () => {
  const codes = [...readFileSync(path.join(root, "compiler/src/diagnostic/code.rs"), "utf8").matchAll(/^ +(W\d{3}) "([^"]+)"/gm)];
  const name = (title) => title.split(/[^A-Za-z0-9]+/).filter(Boolean).join("-").toLowerCase();
  const both = ["all", ...codes.map(([, code]) => code), ...codes.map(([, , title]) => name(title))];
  const file = JSON.parse(readFileSync(schema, "utf8")).properties;
  assert.deepEqual(Object.keys(file.lints.properties), both);
  const settings = Object.assign({}, ...contributes.configuration.map(({ properties }) => properties));
  assert.deepEqual(Object.keys(settings["kpol.lints"].properties), both.slice(0, 1 + codes.length));
  // All names of warnings are taken, and what each level is called.
  for (const level of ["allow", "warn", "deny"]) {
    const { status, stderr } = run(["check", `--${level}`, both.join(","), "web.kpol"]);
    assert.notEqual(status, 2, stderr);
  }
  const capabilities = [...new Set(readFileSync(path.join(root, "compiler/src/tables/constants.rs"), "utf8").match(/\bCAP_[A-Z_0-9]+\b/g))].filter((name) => name !== "CAP_LAST_CAP");
  assert.deepEqual([...file.target.properties.capabilities.items.enum].sort(), capabilities.sort());
  assert.deepEqual([...settings["kpol.capabilities"].items.enum].sort(), capabilities.sort());
  assert.equal(run(["check", "--cap", capabilities.join(","), "web.kpol"]).status, 0);
});

/** As Even Better TOML and taplo see project files. */
function taplo(words, cwd) {
  return spawnSync(path.join(extension, "node_modules/.bin/taplo"), ["lint", ...words], { cwd, encoding: "utf8" });
}

test("taplo finds the schema by the rule of this repository", () => {
  const rule = readFileSync(path.join(root, ".taplo.toml"), "utf8");
  assert.ok(rule.includes("editors/vscode/schemas/kpol.schema.json"));
  write(".taplo.toml", rule.replace("editors/vscode/schemas/kpol.schema.json", schema));
  write("kpol.toml", "inclde = []\n");
  assert.notEqual(taplo(["kpol.toml"], folder).status, 0);
  write("kpol.toml", "include = []\n");
  assert.equal(taplo(["kpol.toml"], folder).status, 0);
});

test("the schema of kpol.toml takes what kpolc takes", { skip }, () => {
  const of = (file) => sections(readFileSync(path.join(root, file), "utf8")).find(([name]) => name === "kpol.toml")[1];
  const good = ["tests/cases/project/levels.case", "tests/cases/project/target.case"].map(of);
  good.push(readFileSync(path.join(root, "examples/kpol.toml"), "utf8"));
  // Each mistake by itself, with the heading that it stands under.
  let heading = "";
  const bad = [];
  for (const line of of("tests/cases/project/mistakes.case").trim().split("\n")) {
    if (line.startsWith("[")) heading = `${line}\n`;
    else bad.push(`${heading}${line}\n`);
  }
  assert.ok(bad.length >= 7);
  const files = [...good, ...bad].map((text, at) => [`tried-${at}.toml`, text, at < good.length]);
  for (const [name, text] of files) write(name, text);
  const { stderr } = taplo(["--no-auto-config", "--schema", pathToFileURL(schema).href, ...files.map(([name]) => name)], folder);
  for (const [name, text, right] of files) {
    assert.equal(!stderr.includes(name), right, `taplo: ${text}${stderr}`);
    write("kpol.toml", text);
    assert.equal(run(["check", "web.kpol"]).status !== 2, right, `kpolc: ${text}`);
  }
});
