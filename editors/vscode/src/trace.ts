// The channel for messages between client and server, ruled by `kpol.trace.server` as in other extensions.
//
// The client library asks the level of the channel whether to trace at all, and the setting only how much. Two switches
// for one thing would be found by nobody, so here the level follows the setting.

import * as vscode from "vscode";

const traced = () => vscode.workspace.getConfiguration("kpol").get<string>("trace.server", "off") !== "off";

/** A plain channel with the face of a log. */
export function traceChannel(name: string): vscode.LogOutputChannel {
  const channel = vscode.window.createOutputChannel(name);
  const changed = new vscode.EventEmitter<vscode.LogLevel>();
  const level = () => (traced() ? vscode.LogLevel.Trace : vscode.LogLevel.Off);
  const hook = vscode.workspace.onDidChangeConfiguration((change) => {
    if (change.affectsConfiguration("kpol.trace.server")) changed.fire(level());
  });
  const say = (message: string | Error) => {
    channel.appendLine(`${new Date().toISOString()} ${String(message)}`);
  };
  return {
    name,
    get logLevel() {
      return level();
    },
    onDidChangeLogLevel: changed.event,
    trace: say,
    debug: say,
    info: say,
    warn: say,
    error: say,
    append: channel.append.bind(channel),
    appendLine: channel.appendLine.bind(channel),
    replace: channel.replace.bind(channel),
    clear: channel.clear.bind(channel),
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- one of its two forms is
    show: (...words: unknown[]) => {
      // The last is whether the focus stays; an older form has a column before it.
      channel.show(words.at(-1) === true);
    },
    hide: channel.hide.bind(channel),
    dispose: () => {
      hook.dispose();
      changed.dispose();
      channel.dispose();
    },
  };
}
