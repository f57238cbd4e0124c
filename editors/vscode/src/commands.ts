// What the command palette and the menus lead to.

import * as path from "node:path";
import * as vscode from "vscode";

import { isCommitted } from "./history";
import { SERVER } from "./programs";
import type { Server } from "./server";
import { LAST_COMMIT, policyOf, SCHEME, type Views } from "./views";

const TEMPLATE = `//! \${1:Whom this policy is for.}
//!
//! Order never matters. Rules that overlap and disagree are errors, never settled in silence.

// What no rule below names. EPERM is what programs expect; ENOSYS tells them that the kernel lacks the call.
default deny(EPERM)

include <base/runtime> // what crun, runc and the C library need

allow { \${2:@basic-io, @file-system} }

// Arguments go by the kernel's own names.
allow { socket(family in {\${3:AF_UNIX, AF_INET, AF_INET6}}) }

// The flags of clone3 are behind a pointer, where no filter sees them. This makes the C library fall back to clone.
deny(ENOSYS) { clone3 }

// Proven on every build, for all arguments and architectures.
assert "no way to load kernel code" { refused { @module } }
$0`;

/** The policy that is meant: of a menu, in front, or that which the view in front is of; else one that can be seen. */
function policy(uri: unknown): vscode.Uri | undefined {
  const front = uri instanceof vscode.Uri ? uri : vscode.window.activeTextEditor?.document.uri;
  if (front?.scheme === SCHEME) return policyOf(front);
  if (uri instanceof vscode.Uri) return uri;
  const editors = [vscode.window.activeTextEditor, ...vscode.window.visibleTextEditors];
  return editors.find((editor) => editor?.document.languageId === "kpol")?.document.uri;
}

export function register(context: vscode.ExtensionContext, server: Server, views: Views): void {
  const command = (name: string, does: (...words: unknown[]) => unknown) => {
    context.subscriptions.push(vscode.commands.registerCommand(`kpol.${name}`, does));
  };
  const forPolicy = (name: string, does: (uri: vscode.Uri) => unknown) => {
    command(name, async (uri) => {
      const meant = policy(uri);
      if (meant) await does(meant);
      else void vscode.window.showInformationMessage("Open a policy (.kpol) first.");
    });
  };
  forPolicy("previewJson", (uri) => views.open({ kind: "json", policy: uri.toString() }));
  forPolicy("previewBpf", (uri) => views.open({ kind: "bpf", policy: uri.toString() }));
  forPolicy("explain", (uri) => explain(uri, views));
  forPolicy("compare", (uri) => compare(uri, views));
  command("restart", () => server.restart());
  command("output", () => {
    server.show();
  });
  command("locate", locate);
  command("install", () => vscode.commands.executeCommand("workbench.action.openWalkthrough", { category: `${context.extension.id}#start`, step: `${context.extension.id}#start#install` }, false));
  command("new", async () => {
    const document = await vscode.workspace.openTextDocument({ language: "kpol", content: "" });
    const editor = await vscode.window.showTextDocument(document);
    await editor.insertSnippet(new vscode.SnippetString(TEMPLATE));
  });
}

/** The call around the cursor with its arguments, or its name. */
function callAtCursor(uri: vscode.Uri): string {
  const editor = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  if (!editor) return "";
  if (!editor.selection.isEmpty) return editor.document.getText(editor.selection).split("\n", 1)[0] ?? "";
  const range = editor.document.getWordRangeAtPosition(editor.selection.active, /[a-z_][a-z0-9_]*(\([^(){}\n]*\))?/);
  const text = range ? editor.document.getText(range) : "";
  return /^(allow|log|deny|kill|kill_thread|trap|trace|notify|include|default|override|arch|const|group|when|assert|within|waive|syscall|flags|listener|except|not|in)\b/.test(text) ? "" : text;
}

async function explain(uri: vscode.Uri, views: Views): Promise<void> {
  const call = await vscode.window.showInputBox({
    title: "Explain a Call",
    prompt: "A call as in C, or a line of the audit log. What is left out is unknown.",
    placeHolder: "socket(AF_ALG, SOCK_SEQPACKET, 0)",
    value: callAtCursor(uri),
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === "" ? "Such as openat(flags = O_RDWR)" : undefined),
  });
  if (call !== undefined) await views.open({ kind: "why", policy: uri.toString(), call: call.trim() });
}

interface Choice extends vscode.QuickPickItem {
  other?: string;
  browse?: boolean;
}

async function compare(uri: vscode.Uri, views: Views): Promise<void> {
  const files = await vscode.workspace.findFiles("**/*.{kpol,json,bpf}", "**/{node_modules,target,.git,.vscode}/**", 500);
  const rank = (file: vscode.Uri) => `${path.dirname(file.path) === path.dirname(uri.path) ? "0" : "1"}${file.path.endsWith(".kpol") ? "0" : "1"}${file.path}`;
  files.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const choices: Choice[] = [];
  if (uri.scheme === "file" && (await isCommitted(uri.fsPath))) choices.push({ label: "$(git-commit) Last commit", description: "what the changes since then mean", other: LAST_COMMIT });
  choices.push({ label: "$(folder-opened) Another file…", description: ".kpol, .json or .bpf", browse: true });
  choices.push({ label: "in this workspace", kind: vscode.QuickPickItemKind.Separator });
  for (const file of files) {
    if (file.toString() !== uri.toString()) choices.push({ label: vscode.workspace.asRelativePath(file), other: file.toString() });
  }
  const name = path.posix.basename(uri.path);
  const chosen = await vscode.window.showQuickPick(choices, { title: `Compare with ${name}`, placeHolder: `What ${name} lets through that the other does not, and the other way round`, matchOnDescription: true });
  let other = chosen?.other;
  if (chosen?.browse === true) {
    const picked = await vscode.window.showOpenDialog({ title: "Compare with", filters: { Filters: ["kpol", "json", "bpf"] } });
    other = picked?.[0]?.toString();
  }
  if (other !== undefined) await views.open({ kind: "diff", policy: uri.toString(), other });
}

async function locate(): Promise<void> {
  const picked = await vscode.window.showOpenDialog({ title: `Where is ${SERVER}?`, openLabel: "Use This", canSelectFiles: true });
  const chosen = picked?.[0];
  if (chosen) await vscode.workspace.getConfiguration("kpol").update("server.path", chosen.fsPath, vscode.ConfigurationTarget.Global);
}
