// Where kpol-lsp and kpolc are: the setting, the PATH, where cargo installs, and what is bundled, in this order.

import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

import { folderOf, whole } from "./settings";

export const SERVER = "kpol-lsp";
export const COMPILER = "kpolc";

/** Why a program cannot be started, in words for the user. */
export class Missing extends Error {}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What `kpol.server.path` says, whole; empty if it says nothing. */
function setting(): string {
  const text = vscode.workspace.getConfiguration("kpol").get("server.path", "").trim();
  return text === "" ? "" : whole(text, folderOf(undefined));
}

export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, ...vscode.workspace.getConfiguration("kpol").get<Record<string, string>>("server.env", {}) };
}

/** Folders in which programs are looked for. A desktop often starts the editor without what a login shell adds. */
function folders(extension: string): string[] {
  const listed = (environment().PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const home = os.homedir();
  return [...listed, path.join(home, ".cargo/bin"), path.join(home, ".local/bin"), path.join(extension, "bin")];
}

function lookUp(name: string, extension: string): string | undefined {
  return folders(extension).map((folder) => path.join(folder, name)).find(isProgram);
}

/** The language server. */
export function findServer(extension: string): string {
  const set = setting();
  if (set === "") {
    const found = lookUp(SERVER, extension);
    if (found === undefined) {
      throw new Missing(`kpol-lsp, the language server, was not found on the PATH or in ~/.cargo/bin. Colours and snippets work without it; nothing else does.`);
    }
    return found;
  }
  // The folder of both, or the compiler, which is installed beside it.
  const beside = path.basename(set) === COMPILER ? path.join(path.dirname(set), SERVER) : path.join(set, SERVER);
  const found = isProgram(beside) ? beside : set;
  if (!isProgram(found)) {
    throw new Missing(`kpol.server.path says ${set}, and there is no program there.`);
  }
  return found;
}

/** The compiler: beside the server where there is one, since the two belong together. */
export function findCompiler(extension: string): string {
  const candidates: string[] = [];
  try {
    candidates.push(path.join(path.dirname(findServer(extension)), COMPILER));
  } catch {
    // kpolc may be there without the server.
  }
  const found = candidates.find(isProgram) ?? lookUp(COMPILER, extension);
  if (found === undefined) throw new Missing("kpolc, the compiler, was not found beside kpol-lsp, on the PATH or in ~/.cargo/bin.");
  return found;
}

export interface Output {
  status: number;
  out: string;
  err: string;
}

const MOST_OUTPUT = 64 * 1024 * 1024;

/** Runs a program to its end; `signal` ends it early. */
export function run(
  program: string,
  words: string[],
  options: { cwd?: string | undefined; input?: string | undefined; signal?: AbortSignal; timeout?: number },
): Promise<Output> {
  return new Promise((resolve, reject) => {
    const { cwd, signal, timeout = 60_000 } = options;
    const child = execFile(
      program,
      words,
      { cwd, env: { ...environment(), NO_COLOR: "1" }, maxBuffer: MOST_OUTPUT, timeout, ...(signal ? { signal } : {}) },
      (error, out, err) => {
        if (error && typeof error.code !== "number") {
          reject(error.killed ? new Error(`${path.basename(program)} did not answer within ${String(timeout / 1000)} s`) : error);
        } else {
          resolve({ status: typeof error?.code === "number" ? error.code : 0, out, err });
        }
      },
    );
    // A program that does not read all that it is told is none of our errors.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}
