// What the tests of the compiler have, for these tests too: every text of a policy in the repository.

import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

export const root = path.resolve(import.meta.dirname, "../../..");

/** Where kpolc and kpol-lsp of this repository are. */
export const programs = path.resolve(process.env.KPOL_PROGRAMS ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, "target"), "debug"));

function below(folder, ending) {
  const entries = readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name.endsWith(ending)).map((entry) => path.join(entry.parentPath, entry.name)).sort();
}

/** The files of a case, without its answers: `[name, text]`. */
export function sections(text) {
  const source = text.startsWith("//= ") ? "" : text.split("\n//= ", 1)[0] + "\n";
  const files = [["main.kpol", ""]];
  for (const line of source.split(/(?<=\n)/)) {
    const name = /^\/\/- (?!args:)(\S+)/.exec(line)?.[1];
    if (name) files.push([name, ""]);
    else if (!line.startsWith("//- args:")) files.at(-1)[1] += line;
  }
  return files.filter(([, text]) => text.trim() !== "");
}

/** Every policy there is, whole ones and fragments. */
export function policies() {
  const whole = ["examples", "compiler/library"].flatMap((folder) => below(folder, ".kpol")).map((file) => [file, readFileSync(file, "utf8")]);
  const cases = [...below("tests/cases", ".case"), ...below("grammar/tests/cases", ".kpol"), ...below("lsp/tests/cases", "")];
  const cut = cases.flatMap((file) =>
    sections(readFileSync(file, "utf8"))
      .filter(([name]) => name.endsWith(".kpol"))
      // Where the cursor is, in cases of the server.
      .map(([name, text]) => [`${file}: ${name}`, text.replaceAll("$0", "")]),
  );
  return [...whole, ...cut].map(([name, text]) => ({ name: path.relative(root, name), text }));
}
