// The schema of kpol.toml, for who edits it by Even Better TOML.
//
// That extension takes schemas by whole addresses only, from its settings or from package.json, where nobody knows yet where
// this extension will lie. So the schema is put where it stays, and the setting is offered; it is the user's.

import * as vscode from "vscode";

const TOML = "tamasfe.even-better-toml";
const SETTING = "evenBetterToml.schema.associations";
const PATTERN = "^(.*/)?kpol\\.toml$";
const ASKED = "kpol.schema.asked";

export class Schema implements vscode.Disposable {
  private readonly hook: vscode.Disposable;

  constructor(private readonly context: vscode.ExtensionContext) {
    this.hook = vscode.window.onDidChangeActiveTextEditor((editor) => void this.offer(editor));
    void this.offer(vscode.window.activeTextEditor);
  }

  private async offer(editor: vscode.TextEditor | undefined): Promise<void> {
    if (!editor?.document.uri.path.endsWith("/kpol.toml") || !vscode.extensions.getExtension(TOML)) return;
    const file = await this.copy();
    const known = vscode.workspace.getConfiguration().get<Record<string, string>>(SETTING, {});
    if (PATTERN in known || this.context.globalState.get(ASKED) === true) return;
    await this.context.globalState.update(ASKED, true);
    const yes = "Set It Up";
    const chosen = await vscode.window.showInformationMessage("Even Better TOML can complete kpol.toml, by the schema that comes with kpol.", yes, "No");
    if (chosen === yes) {
      await vscode.workspace.getConfiguration().update(SETTING, { ...known, [PATTERN]: file.toString() }, vscode.ConfigurationTarget.Global);
    }
  }

  /** Where the next version of this extension finds it too. */
  private async copy(): Promise<vscode.Uri> {
    const file = vscode.Uri.joinPath(this.context.globalStorageUri, "kpol.schema.json");
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(this.context.extensionUri, "schemas/kpol.schema.json"), file, { overwrite: true });
    return file;
  }

  dispose(): void {
    this.hook.dispose();
  }
}
