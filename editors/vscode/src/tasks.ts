// `kpolc check` and `kpolc build` as tasks, for each folder and for the policy in front.

import * as path from "node:path";
import * as vscode from "vscode";

import { COMPILER, findCompiler } from "./programs";

export const TYPE = "kpol";

interface Definition extends vscode.TaskDefinition {
  command: "check" | "build";
  paths?: string[];
  args?: string[];
}

function isOurs(definition: vscode.TaskDefinition): definition is Definition {
  return definition.command === "check" || definition.command === "build";
}

export class Tasks implements vscode.TaskProvider {
  constructor(private readonly extension: string) {}

  provideTasks(): vscode.Task[] {
    const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
    const front = vscode.window.activeTextEditor?.document;
    const policy = front?.languageId === "kpol" && front.uri.scheme === "file" ? front.uri : undefined;
    return folders.flatMap((folder) => {
      const tasks = [this.task(folder, { type: TYPE, command: "check" }), this.task(folder, { type: TYPE, command: "build" })];
      if (policy && vscode.workspace.getWorkspaceFolder(policy) === folder) {
        const paths = [path.relative(folder.uri.fsPath, policy.fsPath)];
        tasks.push(this.task(folder, { type: TYPE, command: "check", paths }), this.task(folder, { type: TYPE, command: "build", paths }));
      }
      return tasks;
    });
  }

  /** A task of `tasks.json`, which says no more than what is to be done. */
  resolveTask(task: vscode.Task): vscode.Task | undefined {
    // The definition must stay the very one that was asked about.
    const { definition } = task;
    return isOurs(definition) ? this.task(task.scope ?? vscode.TaskScope.Workspace, definition) : undefined;
  }

  private task(scope: vscode.WorkspaceFolder | vscode.TaskScope, definition: Definition): vscode.Task {
    const { command, paths = ["."], args = [] } = definition;
    const all = paths.length === 1 && paths[0] === "." ? "all policies" : paths.join(", ");
    const run = new vscode.ProcessExecution(this.program(), [command, "--format", "concise", ...args, "--", ...paths]);
    const task = new vscode.Task(definition, scope, `${command} ${all}`, TYPE, run, "$kpolc");
    task.group = vscode.TaskGroup.Build;
    task.detail = `kpolc ${[command, ...args, ...paths].join(" ")}`;
    task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, clear: true };
    return task;
  }

  private program(): string {
    try {
      return findCompiler(this.extension);
    } catch {
      // The terminal says that there is none, when it is run.
      return COMPILER;
    }
  }
}
