// A policy as the last commit has it, with all that it may include: what it meant then hangs on these.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "./programs";

// What a policy can lead to: includes, what it is held `within`, and what its project says.
const KINDS: [RegExp, string][] = [
  [/\.kpol$/, ":(glob)**/*.kpol"],
  [/\.json$/, ":(glob)**/*.json"],
  [/(^|\/)kpol\.toml$/, ":(glob)**/kpol.toml"],
];

async function git(words: string[], cwd: string, signal?: AbortSignal): Promise<string> {
  const { status, out, err } = await run("git", words, { cwd, ...(signal ? { signal } : {}) });
  if (status !== 0) throw new Error(err.trim());
  return out;
}

/** Whether the last commit has this file. */
export async function isCommitted(file: string): Promise<boolean> {
  try {
    await git(["cat-file", "-e", `HEAD:./${path.basename(file)}`], path.dirname(file));
    return true;
  } catch {
    // No git, no repository, or not in it.
    return false;
  }
}

/** Gives the policy of the last commit, and the folder that stands for the repository, for as long as they are needed. */
export async function withLastCommit<T>(policy: string, signal: AbortSignal, use: (old: string, tree: string) => Promise<T>): Promise<T> {
  const folder = path.dirname(policy);
  const top = (await git(["rev-parse", "--show-toplevel"], folder, signal)).trimEnd();
  const prefix = (await git(["rev-parse", "--show-prefix"], folder, signal)).trimEnd();
  const names = (await git(["ls-tree", "-r", "-z", "--name-only", "HEAD"], top, signal)).split("\0");
  // git refuses what matches nothing.
  const kinds = KINDS.filter(([kind]) => names.some((name) => kind.test(name))).map(([, glob]) => glob);
  const aside = await mkdtemp(path.join(os.tmpdir(), "kpol-"));
  try {
    const [archive, tree] = [path.join(aside, "tree.tar"), path.join(aside, "tree")];
    await git(["archive", "--format=tar", `--output=${archive}`, "HEAD", "--", ...kinds], top, signal);
    await mkdir(tree);
    await run("tar", ["-xf", archive, "-C", tree], { signal });
    return await use(path.join(tree, prefix, path.basename(policy)), tree);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
