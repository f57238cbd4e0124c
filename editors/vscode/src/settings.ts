// What the user has set, with its paths made whole: the server and kpolc have no notion of a workspace folder.

import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

export type Level = "allow" | "warn" | "deny";

/** The section `kpol`, as `kpol-lsp` reads it. */
export interface Settings {
  include: string[];
  kernel: string;
  libseccomp: string;
  capabilities: string[] | null;
  lints: Record<string, Level>;
  inlayHints: boolean;
  codeLens: boolean;
}

/** `~` and `${workspaceFolder}` in a path; one that is relative begins at the folder. */
export function whole(text: string, folder: string | undefined): string {
  let out = text.trim();
  if (folder !== undefined) out = out.replaceAll("${workspaceFolder}", folder);
  if (out === "~" || out.startsWith("~/")) out = path.join(os.homedir(), out.slice(1));
  return folder !== undefined && !path.isAbsolute(out) ? path.join(folder, out) : out;
}

/** The folder that a file's settings are relative to: its own, or the first. */
export function folderOf(uri: vscode.Uri | undefined): string | undefined {
  const folder = (uri && vscode.workspace.getWorkspaceFolder(uri)) ?? vscode.workspace.workspaceFolders?.[0];
  return folder?.uri.scheme === "file" ? folder.uri.fsPath : undefined;
}

export function settings(uri: vscode.Uri | undefined): Settings {
  const section = vscode.workspace.getConfiguration("kpol", uri);
  const folder = folderOf(uri);
  return {
    include: section.get<string[]>("include", []).filter((text) => text.trim() !== "").map((text) => whole(text, folder)),
    kernel: section.get("kernel", "").trim(),
    libseccomp: section.get("libseccomp", "").trim(),
    capabilities: section.get<string[] | null>("capabilities", null),
    lints: section.get<Record<string, Level>>("lints", {}),
    inlayHints: section.get("inlayHints", true),
    codeLens: section.get("codeLens", true),
  };
}

/** The same for the command line of kpolc. */
export function kpolcArguments(uri: vscode.Uri): string[] {
  const { include, kernel, libseccomp, capabilities, lints } = settings(uri);
  const words = include.flatMap((folder) => ["--include", folder]);
  if (kernel !== "") words.push("--kernel", kernel);
  if (libseccomp !== "") words.push("--libseccomp", libseccomp);
  if (capabilities !== null) words.push("--cap", capabilities.length === 0 ? "none" : capabilities.join(","));
  for (const [warning, level] of Object.entries(lints)) words.push(`--${level}`, warning);
  return words;
}
