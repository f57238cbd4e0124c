// Joins the parts. What is known of the language comes from kpol-lsp and kpolc; nothing of it is here.

import * as vscode from "vscode";

import { answerer } from "./answers";
import { register } from "./commands";
import { Links } from "./links";
import { Schema } from "./schema";
import { Server } from "./server";
import { Tasks, TYPE } from "./tasks";
import { SCHEME, Views } from "./views";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const extension = context.extensionPath;
  // Each needs the other: views ask the server, and the server's lenses open views.
  const views: Views = new Views(answerer(extension, () => server));
  const server: Server = new Server(extension, {
    preview: (policy, kind) => views.open({ kind, policy: policy.toString() }),
  });
  const links = vscode.languages.registerDocumentLinkProvider({ scheme: SCHEME }, new Links());
  context.subscriptions.push(views, server, links, new Schema(context), vscode.tasks.registerTaskProvider(TYPE, new Tasks(extension)));
  register(context, server, views);
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("kpol.server")) void server.restart();
    }),
  );
  await server.restart();
  // What was shown before the server was there.
  views.refresh();
}
