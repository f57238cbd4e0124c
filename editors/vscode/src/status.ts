// One word in the status bar, where a policy is in front.

import * as vscode from "vscode";

export type Mood = "starting" | "ready" | "stopped" | "missing";

const ICONS: Record<Mood, string> = { starting: "$(sync~spin)", ready: "$(shield)", stopped: "$(error)", missing: "$(error)" };
const WORDS: Record<Mood, string> = {
  starting: "The language server is starting.",
  ready: "The language server is ready.",
  stopped: "The language server is not running.",
  missing: "There is no language server.",
};

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("kpol.status", vscode.StatusBarAlignment.Right, 90);
  private readonly follow = vscode.window.onDidChangeActiveTextEditor(() => {
    this.place();
  });
  private mood: Mood = "starting";

  constructor() {
    this.item.name = "kpol";
    this.say("starting");
  }

  say(mood: Mood, more = ""): void {
    this.mood = mood;
    const bad = mood === "stopped" || mood === "missing";
    this.item.text = `${ICONS[mood]} kpol`;
    this.item.backgroundColor = bad ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
    this.item.command = mood === "missing" ? "kpol.locate" : bad ? "kpol.restart" : "kpol.output";
    const tooltip = new vscode.MarkdownString(`${WORDS[mood]}\n\n${more}\n\n[Restart](command:kpol.restart) · [Output](command:kpol.output)`, true);
    tooltip.isTrusted = { enabledCommands: ["kpol.restart", "kpol.output"] };
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: `kpol: ${WORDS[mood]}` };
    this.place();
  }

  private place(): void {
    const language = vscode.window.activeTextEditor?.document.languageId;
    // Trouble is shown until it is over, whatever is in front.
    if (language === "kpol" || this.mood === "missing" || this.mood === "stopped") this.item.show();
    else this.item.hide();
  }

  dispose(): void {
    this.follow.dispose();
    this.item.dispose();
  }
}
