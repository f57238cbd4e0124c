// The grammar as VS Code runs it: its own libraries.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";

const require = createRequire(import.meta.url);
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

const extension = path.resolve(import.meta.dirname, "..");
const contributed = JSON.parse(readFileSync(path.join(extension, "package.json"), "utf8")).contributes.grammars;

export async function grammar(scope) {
  await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer).catch(() => undefined);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({ createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns), createOnigString: (text) => new oniguruma.OnigString(text) }),
    loadGrammar: async (name) => {
      const file = contributed.find(({ scopeName }) => scopeName === name)?.path;
      if (!file) return null;
      const full = path.join(extension, file);
      return textmate.parseRawGrammar(readFileSync(full, "utf8"), full);
    },
  });
  return registry.loadGrammar(scope);
}

/** For each line its tokens: `{ start, end, scopes }`. */
export function tokens(grammar, text) {
  let stack = textmate.INITIAL;
  return text.split("\n").map((line) => {
    const result = grammar.tokenizeLine(line, stack);
    stack = result.ruleStack;
    return result.tokens.map(({ startIndex, endIndex, scopes }) => ({ start: startIndex, end: endIndex, scopes }));
  });
}

/** The innermost scope of a place, without the `.kpol` at its end. */
export function at(lines, line, column) {
  const token = lines[line]?.find(({ start, end }) => start <= column && column < end);
  return (token?.scopes.at(-1) ?? "").replace(/\.kpol$/, "");
}
