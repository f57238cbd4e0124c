// As much of a client as it takes to ask the server what each word is.

import { spawn } from "node:child_process";
import * as path from "node:path";

export async function connect(program) {
  const child = spawn(program, [], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map();
  let last = 0;
  let held = Buffer.alloc(0);
  child.stdout.on("data", (data) => {
    held = Buffer.concat([held, data]);
    for (;;) {
      const end = held.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(held.subarray(0, end).toString())[1]);
      if (held.length < end + 4 + length) return;
      const message = JSON.parse(held.subarray(end + 4, end + 4 + length).toString());
      held = held.subarray(end + 4 + length);
      waiting.get(message.method ? undefined : message.id)?.(message);
    }
  });
  const send = (message) => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    child.stdin.write(body);
  };
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
      send({ id: last, method, params });
    });
  const capabilities = { textDocument: { semanticTokens: { requests: { full: true }, tokenTypes: [], tokenModifiers: [], formats: ["relative"] } } };
  const { capabilities: can } = await ask("initialize", { processId: process.pid, rootUri: null, capabilities });
  const legend = can.semanticTokensProvider.legend.tokenTypes;
  send({ method: "initialized", params: {} });
  return {
    /** `{ line, start, length, type }` of each word. */
    async words(text) {
      const uri = `file://${path.join("/nowhere", "main.kpol")}`;
      send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "kpol", version: 1, text } } });
      const { data } = await ask("textDocument/semanticTokens/full", { textDocument: { uri } });
      send({ method: "textDocument/didClose", params: { textDocument: { uri } } });
      const words = [];
      let [line, start] = [0, 0];
      for (let at = 0; at < data.length; at += 5) {
        start = data[at] === 0 ? start + data[at + 1] : data[at + 1];
        line += data[at];
        words.push({ line, start, length: data[at + 2], type: legend[data[at + 3]] });
      }
      return words;
    },
    async close() {
      await ask("shutdown", null);
      send({ method: "exit" });
      child.stdin.end();
    },
  };
}
