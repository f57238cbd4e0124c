//! A client of our own: starts the real program, and speaks with it over its pipes.
//!
//! Nothing here sleeps: who waits, waits for a message, and a minute without one is a failure.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: i64,
    /// Messages that came while another was waited for.
    pub early: Vec<Value>,
    pub folder: tempfile::TempDir,
    /// What `initialize` was answered.
    pub server: Value,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// What a modern editor says of itself.
pub fn capabilities() -> Value {
    json!({
        "general": { "positionEncodings": ["utf-16"] },
        "textDocument": {
            "publishDiagnostics": {
                "relatedInformation": true, "versionSupport": true, "codeDescriptionSupport": true,
                "tagSupport": { "valueSet": [1, 2] },
            },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
            "hover": { "contentFormat": ["markdown", "plaintext"] },
            "completion": { "completionItem": {
                "snippetSupport": true, "documentationFormat": ["markdown"], "insertReplaceSupport": true,
            } },
            "signatureHelp": { "signatureInformation": { "parameterInformation": { "labelOffsetSupport": true } } },
            "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } },
            "definition": { "linkSupport": true },
        },
        "workspace": { "workspaceEdit": { "documentChanges": true } },
    })
}

impl Client {
    /// A server that has not been told anything yet.
    pub fn start() -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_kpol-lsp")), &[])
    }

    /// Any server.
    pub fn start_program(program: &Path, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args(args)
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        std::fs::create_dir(folder.path().join("p")).unwrap();
        Self { child, input, messages, next: 0, early: Vec::new(), folder, server: Value::Null }
    }

    /// One that is ready, for an editor that can do much.
    pub fn ready() -> Self {
        Self::ready_with(capabilities())
    }

    pub fn ready_with(capabilities: Value) -> Self {
        let mut client = Self::start();
        client.initialize(capabilities, Value::Null);
        client
    }

    pub fn initialize(&mut self, capabilities: Value, options: Value) {
        let root = self.uri("");
        self.server = self.request(
            "initialize",
            json!({
                "processId": std::process::id(), "rootUri": root, "capabilities": capabilities,
                "initializationOptions": options, "workspaceFolders": [{ "uri": root, "name": "p" }],
            }),
        );
        self.notify("initialized", json!({}));
    }

    /// The folder of the project.
    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("p")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root() } else { self.root().join(name) }
    }

    pub fn uri(&self, name: &str) -> String {
        uri(&self.path(name))
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request without waiting for its answer.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }));
        self.next
    }

    /// The answer to a request, error or result.
    pub fn answer(&mut self, id: i64) -> Value {
        let mine = |message: &Value| message.get("method").is_none() && message["id"] == id;
        self.wait(mine)
    }

    /// The result of a request.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The error of a request.
    pub fn refused(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_some(), "{method}: {answer}");
        answer["error"].clone()
    }

    /// The first message that is wanted; others are kept.
    pub fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at);
        }
        loop {
            let message = self.next_message();
            if wanted(&message) {
                return message;
            }
            self.early.push(message);
        }
    }

    pub fn next_message(&mut self) -> Value {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("no message in a minute; before: {:#?}", self.early),
            Err(RecvTimeoutError::Disconnected) => panic!("the server is gone"),
        }
    }

    pub fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.open_uri(&uri, text);
    }

    pub fn open_uri(&mut self, uri: &str, text: &str) {
        self.open_uri_as(uri, "kpol", text);
    }

    pub fn open_as(&mut self, name: &str, language: &str, text: &str) {
        let uri = self.uri(name);
        self.open_uri_as(&uri, language, text);
    }

    fn open_uri_as(&mut self, uri: &str, language: &str, text: &str) {
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": language, "version": 1, "text": text } }),
        );
    }

    /// Replaces all of a text.
    pub fn change(&mut self, name: &str, version: i64, text: &str) {
        self.edit(name, version, json!([{ "text": text }]));
    }

    pub fn edit(&mut self, name: &str, version: i64, changes: Value) {
        let uri = self.uri(name);
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": changes }),
        );
    }

    pub fn close(&mut self, name: &str) {
        let uri = self.uri(name);
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }

    /// The next diagnostics of a file of the project.
    pub fn diagnostics(&mut self, name: &str) -> Value {
        let uri = self.uri(name);
        let mine = |m: &Value| m["method"] == "textDocument/publishDiagnostics" && m["params"]["uri"] == uri.as_str();
        self.wait(mine)["params"].clone()
    }

    /// The codes of the next diagnostics.
    pub fn codes(&mut self, name: &str) -> Vec<String> {
        codes(&self.diagnostics(name)["diagnostics"])
    }

    pub fn text_document(&self, name: &str) -> Value {
        json!({ "uri": self.uri(name) })
    }

    pub fn at(&self, name: &str, line: u32, character: u32) -> Value {
        json!({ "textDocument": { "uri": self.uri(name) }, "position": { "line": line, "character": character } })
    }

    /// Ends it as the protocol wants it.
    pub fn stop(mut self) -> ExitStatus {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.wait_for_end()
    }

    /// Closes the pipe, as a client does that dies.
    pub fn vanish(mut self) -> ExitStatus {
        self.input = None;
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> ExitStatus {
        // Its output is closed when it is gone.
        while !matches!(self.messages.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected)) {}
        self.child.wait().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

pub fn codes(diagnostics: &Value) -> Vec<String> {
    diagnostics.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
