// Colours before the server is there, and without it. Two that know nothing of each other say what each word is: the
// TextMate grammar line by line, and the server by its parser. They agree on every policy of the repository.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";

import { policies, programs, root } from "./fixtures.mjs";
import { connect } from "./lsp.mjs";
import { at, grammar, tokens } from "./textmate.mjs";

const kpol = await grammar("source.kpol");
const pest = readFileSync(path.join(root, "grammar/src/kpol.pest"), "utf8");
const ACTIONS = /^action_name .*$/m.exec(pest)[0].match(/"\w+"/g).map((word) => word.slice(1, -1));

const SCOPES = {
  keyword: /^keyword\.other|^keyword\.operator\.word/,
  macro: /^keyword\.control\.action/,
  function: /^support\.function\.syscall/,
  class: /^entity\.name\.type\.group/,
  parameter: /^variable\.parameter/,
  enumMember: /^variable\.other\.(enummember|constant)/,
  type: /^support\.type|^keyword\.operator\.pointer/,
  property: /^variable\.other\.enummember\.flag/,
  number: /^constant\.numeric/,
  string: /^string|^constant\.character\.escape|^punctuation\.definition\.string/,
  comment: /^comment|^punctuation\.definition\.comment|^keyword\.other\.silencer|^constant\.other\.code/,
  operator: /^keyword\.operator/,
};

/** A name in lower case between parentheses is a parameter or a constant: only who knows all names can tell. */
const either = (type, word) => type === "enumMember" && /[a-z]/.test(word) && SCOPES.parameter;

/** A word in the place of an action that is none: the parser knows the place, and colours tell what is none. */
const noAction = (type, word) => type === "macro" && !ACTIONS.includes(word);

test("the grammar agrees with the parser", { skip: existsSync(path.join(programs, "kpol-lsp")) ? false : `no kpol-lsp in ${programs}` }, async () => {
  const server = await connect(path.join(programs, "kpol-lsp"));
  const kpolc = path.join(programs, "kpolc");
  const differences = [];
  let [files, words] = [0, 0];
  for (const { name, text } of policies()) {
    // Where a text has mistakes, the two may part at them.
    if (spawnSync(kpolc, ["fmt", "-"], { input: text }).stdout.length === 0) continue;
    files += 1;
    const lines = text.split("\n");
    const coloured = tokens(kpol, text);
    for (const { line, start, length, type } of await server.words(text)) {
      const word = lines[line].slice(start, start + length);
      if (noAction(type, word)) continue;
      words += 1;
      for (const place of new Set([start, start + length - 1])) {
        const scope = at(coloured, line, place);
        if (!SCOPES[type].test(scope) && !(either(type, word) && either(type, word).test(scope))) {
          differences.push(`${name}:${line + 1}:${place + 1}: \`${word}\` is ${type}, and coloured as ${scope || "nothing"}`);
        }
      }
    }
  }
  await server.close();
  assert.deepEqual(differences.slice(0, 20), [], `${differences.length} of ${words} words`);
  assert.ok(files > 100 && words > 3000, `${files} files, ${words} words were looked at`);
});

/** Scopes of some words in a text, the first of each. */
function scopes(text, ...words) {
  const lines = text.split("\n");
  const coloured = tokens(kpol, text);
  return words.map((word) => {
    const line = lines.findIndex((line) => line.includes(word));
    return at(coloured, line, lines[line].indexOf(word));
  });
}

test("what is not finished costs its own statement", () => {
  for (const open of ["allow { read,", "allow { socket(family ==", "allow { socket(family in {AF_UNIX,", "group @mine {", "when arch x86_64", "assert \"a", "assert \"a\" {", "const A =", "const A = {", "include \"a", "include <a", "syscall foo(a: ", "syscall foo = 1 on", "default", "flags { log,", "arch x86_64,", "listener \"a", "override"]) {
    const found = scopes(`${open}\n\nkill { ptrace_me, bind(reg5 == 7) }\ngroup @other { more }\n`, "kill", "ptrace_me", "reg5", "7", "group", "@other", "more");
    const expected = ["keyword.control.action.kill", "support.function.syscall", "variable.parameter", "constant.numeric.decimal", "keyword.other.statement", "entity.name.type.group.definition", "support.function.syscall"];
    assert.deepEqual(found, expected, open);
  }
});

test("a word is what its place makes of it", () => {
  const text = `allow { kill, include, when, default, group, not, in(reg0 == 1) } // kpol: allow(W001, W003) old
kill { except except { on } }
/// documents
//// does not
/* not
   closed */ log { x }`;
  assert.deepEqual(scopes(text, "include", "default", "in(", "W001", "kill {", "except {", "on }", "documents", "does not", "closed", "x }"), [
    "support.function.syscall",
    "support.function.syscall",
    "support.function.syscall",
    "constant.other.code",
    "keyword.control.action.kill",
    "keyword.operator.word.except",
    "support.function.syscall",
    "comment.line.documentation",
    "comment.line.double-slash",
    "comment.block",
    "support.function.syscall",
  ]);
});

test("every keyword of the grammar is coloured", () => {
  const textmate = readFileSync(path.join(root, "editors/vscode/syntaxes/kpol.tmLanguage.json"), "utf8");
  const words = [...pest.matchAll(/^kw_(\w+)/gm)].map(([, word]) => word).concat(ACTIONS);
  assert.ok(words.length > 20);
  assert.deepEqual(words.filter((word) => !new RegExp(`\\b${word}\\b`).test(textmate.replaceAll("\\\\b", " "))), []);
});

test("in Markdown a block of kpol is coloured as such", async () => {
  const block = await grammar("markdown.kpol.codeblock");
  const lines = tokens(block, "```kpol,web.kpol\ndefault deny\nallow { read }\n```\ndefault deny");
  assert.equal(at(lines, 1, 0), "keyword.other.statement");
  assert.equal(at(lines, 2, 8), "support.function.syscall");
  assert.equal(lines[4][0].scopes.some((scope) => scope.includes("kpol.keyword") || scope.startsWith("keyword")), false);
});
