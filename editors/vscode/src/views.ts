// Texts that follow a policy: what would be built, what a call gets, how two filters differ.
//
// A view is a read-only document beside the policy. Its address says what it shows, so the same question has one view:
//
//     kpol:/web.json?{"kind":"json","policy":"file:///srv/web.kpol"}

import * as path from "node:path";
import * as vscode from "vscode";

export const SCHEME = "kpol";

/** Stands for the policy as the last commit has it. */
export const LAST_COMMIT = "git:HEAD";

export type Question =
  | { kind: "json" | "bpf"; policy: string }
  | { kind: "why"; policy: string; call: string }
  | { kind: "diff"; policy: string; other: string };

export interface Answer {
  text: string;
  /** The policy has errors, or the question has: `text` says which. */
  failed: boolean;
}

export type Answerer = (question: Question, signal: AbortSignal) => Promise<Answer>;

const LANGUAGES: Record<Question["kind"], string> = { json: "jsonc", bpf: "kpol-listing", why: "kpol-answer", diff: "kpol-answer" };
const COMMENTS: Record<Question["kind"], string> = { json: "//", bpf: ";", why: "//", diff: "//" };
// Long enough that a word is typed, short enough to seem at once.
const PAUSE_MS = 250;

interface View {
  question: Question;
  /** What was shown when the policy was right for the last time. */
  good: string | undefined;
  text: string;
  running: AbortController | undefined;
  timer: NodeJS.Timeout | undefined;
}

function read(uri: vscode.Uri): Question {
  return JSON.parse(uri.query) as Question;
}

/** The policy that a view is of. */
export function policyOf(view: vscode.Uri): vscode.Uri | undefined {
  try {
    return vscode.Uri.parse(read(view).policy);
  } catch {
    return undefined;
  }
}

/** What the tab says. */
function title(question: Question): string {
  const name = path.posix.basename(vscode.Uri.parse(question.policy).path, ".kpol");
  // A slash would be a folder.
  const plain = (text: string) => text.replaceAll("/", "∕").replace(/\s+/g, " ").slice(0, 60);
  switch (question.kind) {
    case "json":
      return `${name}.json (preview)`;
    case "bpf":
      return `${name}.asm (preview)`;
    case "why":
      return `${plain(question.call)} in ${name}`;
    case "diff":
      return `${question.other === LAST_COMMIT ? "last commit" : path.posix.basename(vscode.Uri.parse(question.other).path)} → ${name}`;
  }
}

export class Views implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly views = new Map<string, View>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly hooks: vscode.Disposable[];

  constructor(private readonly answer: Answerer) {
    this.hooks = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0 && document.languageId === "kpol") this.refresh();
      }),
      // Project files and foreign profiles count as the disk has them.
      vscode.workspace.onDidSaveTextDocument((document) => {
        if (document.uri.scheme === "file") this.refresh();
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("kpol")) this.refresh();
      }),
      vscode.workspace.onDidCloseTextDocument((document) => {
        // One that gets another language is closed and opened, and all the while it is there.
        if (vscode.workspace.textDocuments.includes(document)) return;
        const view = this.views.get(document.uri.toString());
        clearTimeout(view?.timer);
        view?.running?.abort();
        this.views.delete(document.uri.toString());
      }),
    ];
  }

  async open(question: Question): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title(question)}`, query: JSON.stringify(question) });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, LANGUAGES[question.kind]);
    await vscode.window.showTextDocument(document, { viewColumn: this.column(), preserveFocus: true, preview: true });
  }

  /** Beside the policy; where views are already, one more joins them. */
  private column(): vscode.ViewColumn {
    const group = vscode.window.tabGroups.all.find((group) =>
      group.tabs.some(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === SCHEME),
    );
    return group?.viewColumn ?? vscode.ViewColumn.Beside;
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const key = uri.toString();
    const known = this.views.get(key);
    if (known) return known.text;
    const view: View = { question: read(uri), good: undefined, text: "", running: undefined, timer: undefined };
    this.views.set(key, view);
    await this.ask(view);
    return view.text;
  }

  /** Asks again, for all that is open, once nobody types. */
  refresh(): void {
    for (const [key, view] of this.views) {
      clearTimeout(view.timer);
      view.timer = setTimeout(() => {
        const before = view.text;
        void this.ask(view).then(() => {
          if (view.text !== before) this.changed.fire(vscode.Uri.parse(key));
        });
      }, PAUSE_MS);
    }
  }

  private async ask(view: View): Promise<void> {
    view.running?.abort();
    const running = new AbortController();
    view.running = running;
    let answer: Answer;
    try {
      answer = await this.answer(view.question, running.signal);
    } catch (error) {
      answer = { text: error instanceof Error ? error.message : String(error), failed: true };
    }
    // A later question was asked meanwhile, and its answer counts.
    if (view.running !== running) return;
    view.running = undefined;
    if (!answer.failed) {
      view.good = answer.text;
      view.text = answer.text;
      return;
    }
    const name = path.posix.basename(vscode.Uri.parse(view.question.policy).path);
    const sign = COMMENTS[view.question.kind];
    const lines = answer.text.trimEnd().split("\n").map((line) => `${sign} ${line}`.trimEnd());
    const head = view.good === undefined ? `${sign} There is nothing to show of ${name} yet:` : `${sign} ${name} as it was before this:`;
    view.text = [head, ...lines, "", view.good ?? ""].join("\n");
  }

  dispose(): void {
    for (const view of this.views.values()) {
      clearTimeout(view.timer);
      view.running?.abort();
    }
    for (const hook of this.hooks) hook.dispose();
    this.changed.dispose();
  }
}
