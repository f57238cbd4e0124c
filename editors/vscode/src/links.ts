// Places that a view names lead there: `web.kpol:32:5`, `lib/groups.kpol:2`.

import * as path from "node:path";
import * as vscode from "vscode";

import { policyOf } from "./views";

const PLACE = /([^\s[\]<>()"`]+\.(?:kpol|toml)):(\d+)(?::(\d+))?/g;

export class Links implements vscode.DocumentLinkProvider {
  provideDocumentLinks(document: vscode.TextDocument): vscode.DocumentLink[] {
    const policy = policyOf(document.uri);
    if (policy?.scheme !== "file") return [];
    const folder = path.dirname(policy.fsPath);
    return [...document.getText().matchAll(PLACE)].map((found) => {
      const [place, file = "", line = "1", column = "1"] = found;
      const range = new vscode.Range(document.positionAt(found.index), document.positionAt(found.index + place.length));
      const target = vscode.Uri.file(path.resolve(folder, file)).with({ fragment: `L${line},${column}` });
      return new vscode.DocumentLink(range, target);
    });
  }
}
