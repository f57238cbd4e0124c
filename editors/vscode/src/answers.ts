// Who answers a view: the server, which knows the text that is not saved, or kpolc, which is told it.

import * as path from "node:path";
import * as vscode from "vscode";

import { withLastCommit } from "./history";
import { findCompiler, run } from "./programs";
import type { Server } from "./server";
import { kpolcArguments } from "./settings";
import { LAST_COMMIT, type Answer, type Answerer, type Question } from "./views";

export function answerer(extension: string, server: () => Server): Answerer {
  return async (question, signal) => {
    switch (question.kind) {
      case "json":
      case "bpf":
        return await preview(server(), question);
      case "why":
        return await kpolc(extension, question, ["why"], [fileOf(question.policy), question.call], signal);
      case "diff":
        return question.other === LAST_COMMIT
          ? await withLastCommit(fileOf(question.policy), signal, async (old, tree) => {
              const answer = await diff(extension, question, old, signal);
              return { ...answer, text: answer.text.replaceAll(`${tree}/`, "HEAD:") };
            })
          : await diff(extension, question, fileOf(question.other), signal);
    }
  };
}

function fileOf(uri: string): string {
  const parsed = vscode.Uri.parse(uri);
  if (parsed.scheme !== "file") throw new Error("Save the policy first: kpolc reads it, and what it includes, from the disk.");
  return parsed.fsPath;
}

async function preview(server: Server, question: Question): Promise<Answer> {
  // Only with the text open does the server know what is not saved; a view may outlive its policy's tab.
  const text = await server.ask<string>("kpol.preview", question.policy, question.kind);
  // As from the policy's folder: what lies there needs no longer name.
  const policy = vscode.Uri.parse(question.policy);
  return { text: policy.scheme === "file" ? text.replaceAll(`${path.dirname(policy.fsPath)}/`, "") : text, failed: false };
}

function diff(extension: string, question: Question, old: string, signal: AbortSignal): Promise<Answer> {
  return kpolc(extension, question, ["diff", "--fail-on", "never"], [old, fileOf(question.policy)], signal);
}

/** The text that counts, if it is not that of the disk: the policy's own, else that of something else that is edited. */
function unsaved(policy: string): vscode.TextDocument | undefined {
  const edited = vscode.workspace.textDocuments.filter((document) => document.isDirty && document.languageId === "kpol" && document.uri.scheme === "file");
  return edited.find((document) => document.uri.fsPath === policy) ?? edited[0];
}

async function kpolc(extension: string, question: Question, options: string[], words: string[], signal: AbortSignal): Promise<Answer> {
  const policy = vscode.Uri.parse(question.policy);
  const edited = unsaved(policy.fsPath);
  const all = [...options, ...kpolcArguments(policy), "--color", "never"];
  if (edited) all.push("--unsaved", edited.uri.fsPath);
  // What is typed is no option, whatever it begins with.
  all.push("--", ...words);
  // From the policy's folder, so that what is said of it is short.
  const cwd = path.dirname(policy.fsPath);
  const here = all.map((word) => (path.isAbsolute(word) && path.dirname(word) === cwd ? path.basename(word) : word));
  const { status, out, err } = await run(findCompiler(extension), here, { cwd, input: edited?.getText(), signal });
  const failed = status !== 0;
  return { text: failed ? `${err}${out}` : out, failed };
}
