// The language server: started, restarted, and shown in the status bar.

import * as vscode from "vscode";
import type { ConfigurationParams, Location as WireLocation, Position as WirePosition } from "vscode-languageclient/node";
import { LanguageClient, RevealOutputChannelOn, State } from "vscode-languageclient/node";

import { environment, findServer, Missing } from "./programs";
import { settings } from "./settings";
import { Status } from "./status";
import { traceChannel } from "./trace";

/** What a lens of the server leads to. */
export interface Lenses {
  preview(policy: vscode.Uri, form: "json" | "bpf"): unknown;
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private readonly status = new Status();
  private readonly output = vscode.window.createOutputChannel("kpol", { log: true });
  private readonly trace = traceChannel("kpol (trace)");
  // One after the other: a restart while a start is on its way would leave two servers.
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly extension: string,
    private readonly lenses: Lenses,
  ) {}

  show(): void {
    this.output.show(true);
  }

  /** Starts the server anew, wherever it is now. */
  restart(): Promise<void> {
    const next = this.last.then(async () => {
      await this.stop();
      await this.start();
    });
    this.last = next.catch((error: unknown) => {
      this.output.error(String(error));
    });
    return next;
  }

  /** The answer of one of the server's commands. */
  async ask<T>(command: string, ...words: unknown[]): Promise<T> {
    await this.last;
    if (this.client?.state !== State.Running) throw new Error("The language server is not running. “kpol: Show Output” tells why.");
    return this.client.sendRequest<T>("workspace/executeCommand", { command, arguments: words });
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    // One that died by itself has nothing to stop.
    await client?.dispose().catch((error: unknown) => {
      this.output.debug(String(error));
    });
  }

  private async start(): Promise<void> {
    this.status.say("starting");
    void vscode.commands.executeCommand("setContext", "kpol.ready", false);
    let command: string;
    try {
      command = findServer(this.extension);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      this.output.error(error.message);
      this.status.say("missing", error.message);
      void this.tellMissing(error.message);
      return;
    }
    this.output.info(`starting ${command}`);
    const client = new LanguageClient("kpol", "kpol", { command, options: { env: environment() } }, this.options());
    this.client = client;
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) return;
      if (newState === State.Stopped) this.status.say("stopped", "The language server ended.");
      if (newState === State.Starting) this.status.say("starting");
      if (newState === State.Running) this.ready(client, command);
    });
    try {
      await client.start();
    } catch (error) {
      const why = `${command} could not be started: ${error instanceof Error ? error.message : String(error)}`;
      this.output.error(why);
      this.status.say("stopped", why);
      void this.tellMissing(why);
    }
  }

  private ready(client: LanguageClient, command: string): void {
    const version = client.initializeResult?.serverInfo?.version ?? "";
    this.output.info(`kpol-lsp ${version} is ready`);
    this.status.say("ready", `kpol-lsp ${version}\n\n\`${command}\``);
    void vscode.commands.executeCommand("setContext", "kpol.ready", true);
  }

  private options(): ConstructorParameters<typeof LanguageClient>[3] {
    return {
      documentSelector: [
        { language: "kpol", scheme: "file" },
        { language: "kpol", scheme: "untitled" },
        { scheme: "file", pattern: "**/kpol.toml" },
      ],
      outputChannel: this.output,
      traceOutputChannel: this.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: settings(undefined),
      middleware: {
        // Behind these a line may as well end, and Enter would take the first of the list for it. The next letter brings it.
        provideCompletionItem: (document, position, context, token, next) =>
          context.triggerCharacter === "{" || context.triggerCharacter === "," ? [] : next(document, position, context, token),
        workspace: {
          configuration: (params: ConfigurationParams) =>
            params.items.map((item) => (item.section === "kpol" ? settings(item.scopeUri === undefined ? undefined : vscode.Uri.parse(item.scopeUri)) : null)),
        },
        executeCommand: (command, words: unknown[], next) => {
          const [uri, about] = words;
          if (command === "kpol.preview" && typeof uri === "string") {
            return this.lenses.preview(vscode.Uri.parse(uri), about === "bpf" ? "bpf" : "json");
          }
          if (command === "kpol.uses" && typeof uri === "string") return this.uses(vscode.Uri.parse(uri), about as WirePosition);
          return next(command, words) as unknown;
        },
      },
    };
  }

  private async uses(uri: vscode.Uri, at: WirePosition): Promise<void> {
    const places = await this.ask<WireLocation[] | null>("kpol.uses", uri.toString(), at);
    const position = new vscode.Position(at.line, at.character);
    const range = ({ start, end }: WireLocation["range"]) => new vscode.Range(start.line, start.character, end.line, end.character);
    const locations = (places ?? []).map((place) => new vscode.Location(vscode.Uri.parse(place.uri), range(place.range)));
    await vscode.commands.executeCommand("editor.action.showReferences", uri, position, locations);
  }

  private async tellMissing(why: string): Promise<void> {
    const [install, choose, output] = ["How to Install", "Choose…", "Show Output"];
    const chosen = await vscode.window.showErrorMessage(why, install, choose, output);
    if (chosen === install) await vscode.commands.executeCommand("kpol.install");
    if (chosen === choose) await vscode.commands.executeCommand("kpol.locate");
    if (chosen === output) this.show();
  }

  dispose(): void {
    void this.stop();
    this.status.dispose();
    this.output.dispose();
    this.trace.dispose();
  }
}
