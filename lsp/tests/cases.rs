//! Cases: one file each, sources with a cursor (`$0`), and what the real program answers there.
//!
//! ```text
//! default deny                       main.kpol, if it does not begin with another `//- name`
//! allow { so$0cket }
//! //- base.kpol                      another file, on disk and not open
//! //= hover                          an answer: what follows is drawn; `UPDATE=1` draws it anew
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use client::Client;
use serde_json::{Value, json};

const MAIN: &str = "main.kpol";

struct Case {
    files: Vec<(String, String)>,
    answers: Vec<String>,
    line: u32,
    character: u32,
    lines: Vec<String>,
}

impl Case {
    fn parse(text: &str) -> Self {
        let at = if text.starts_with("//= ") { 0 } else { text.find("\n//= ").map_or(text.len(), |at| at + 1) };
        let (sources, drawn) = text.split_at(at);
        let mut files = vec![(MAIN.to_owned(), String::new())];
        for line in sources.split_inclusive('\n') {
            match line.strip_prefix("//- ") {
                Some(name) => files.push((name.trim().to_owned(), String::new())),
                None => files.last_mut().unwrap().1.push_str(line),
            }
        }
        // The first file may have a name of its own.
        if files[0].1.is_empty() && files.len() > 1 {
            files.remove(0);
        }
        let (before, after) = files[0].1.split_once("$0").unwrap_or((&files[0].1, ""));
        let (line, character) = (before.matches('\n').count(), before.rsplit('\n').next().unwrap().chars().count());
        files[0].1 = format!("{before}{after}");
        let lines = files[0].1.lines().map(str::to_owned).collect();
        let answers = drawn.lines().filter_map(|line| line.strip_prefix("//= ")).map(str::to_owned).collect();
        Self { files, answers, line: line as u32, character: character as u32, lines }
    }

    fn main(&self) -> &str {
        &self.files[0].0
    }

    fn draw(&self) -> String {
        let mut client = Client::ready();
        for (name, text) in &self.files[1..] {
            client.write(name, text);
        }
        client.write(self.main(), &self.files[0].1);
        client.open(self.main(), &self.files[0].1);
        let mut out = String::new();
        for answer in &self.answers {
            let _ = writeln!(out, "//= {answer}");
            let drawn = self.answer(&mut client, answer);
            for line in drawn.lines() {
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
        assert!(client.stop().success());
        out
    }

    fn answer(&self, client: &mut Client, answer: &str) -> String {
        let (kind, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        let at = client.at(self.main(), self.line, self.character);
        let document = json!({ "textDocument": client.text_document(self.main()) });
        let whole =
            json!({ "start": { "line": 0, "character": 0 }, "end": { "line": self.lines.len(), "character": 0 } });
        let here = json!({ "start": at["position"], "end": at["position"] });
        match kind {
            "hover" => {
                let hover = client.request("textDocument/hover", at);
                hover["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
            }
            "complete" => self.complete(client, at, rest.parse().unwrap_or(12)),
            "signature" => signature(&client.request("textDocument/signatureHelp", at)),
            "definition" => {
                let links = client.request("textDocument/definition", at);
                let one = |link: &Value| {
                    let uri = short(client, link["targetUri"].as_str().unwrap());
                    format!("{uri} {}", range(&link["targetSelectionRange"]))
                };
                lines(links.as_array().map_or(&[][..], Vec::as_slice).iter().map(one))
            }
            "references" => {
                let mut params = at;
                params["context"] = json!({ "includeDeclaration": true });
                let places = client.request("textDocument/references", params);
                let one = |place: &Value| {
                    format!("{} {}", short(client, place["uri"].as_str().unwrap()), range(&place["range"]))
                };
                lines(places.as_array().unwrap().iter().map(one))
            }
            "highlight" => {
                let places = client.request("textDocument/documentHighlight", at);
                let one = |place: &Value| {
                    let kind = if place["kind"] == 3 { "write" } else { "read" };
                    format!("{} {kind}", range(&place["range"]))
                };
                lines(places.as_array().unwrap().iter().map(one))
            }
            "rename" => self.rename(client, at, rest),
            "links" => {
                let links = client.request("textDocument/documentLink", document);
                let one = |link: &Value| {
                    format!("{} {}", range(&link["range"]), short(client, link["target"].as_str().unwrap_or("nothing")))
                };
                lines(links.as_array().unwrap().iter().map(one))
            }
            "symbols" => symbols(&client.request("textDocument/documentSymbol", document), 0),
            "folding" => {
                let folds = client.request("textDocument/foldingRange", document);
                let one = |fold: &Value| {
                    let kind = fold["kind"].as_str().unwrap_or("region");
                    format!("{}..{} {kind}", fold["startLine"], fold["endLine"])
                };
                lines(folds.as_array().unwrap().iter().map(one))
            }
            "format" => {
                let mut params = document;
                params["options"] = json!({ "tabSize": 4, "insertSpaces": true });
                let edits = client.request("textDocument/formatting", params);
                lines(edits.as_array().unwrap().iter().map(edit))
            }
            "actions" => self.actions(client, document, here),
            "tokens" => self.tokens(&client.request("textDocument/semanticTokens/full", document)),
            "hints" => {
                let mut params = document;
                params["range"] = whole;
                let hints = client.request("textDocument/inlayHint", params);
                let one = |hint: &Value| {
                    let at = &hint["position"];
                    format!("{}:{} {}", at["line"], at["character"], hint["label"].as_str().unwrap())
                };
                lines(hints.as_array().unwrap().iter().map(one))
            }
            "selection" => {
                let mut params = document;
                params["positions"] = json!([at["position"]]);
                let ranges = client.request("textDocument/selectionRange", params);
                let mut out = Vec::new();
                let mut next = &ranges[0];
                while next.is_object() {
                    out.push(range(&next["range"]));
                    next = &next["parent"];
                }
                lines(out.into_iter())
            }
            "lenses" => self.lenses(client, document),
            "calls" => self.calls(client, at),
            other => panic!("there is no answer `{other}`"),
        }
    }

    fn complete(&self, client: &mut Client, at: Value, most: usize) -> String {
        let list = client.request("textDocument/completion", at);
        let items = list["items"].as_array().unwrap();
        let mut out = String::new();
        if let Some(first) = items.first() {
            let _ = writeln!(out, "replaces {}", range(&first["textEdit"]["replace"]));
        }
        for item in items.iter().take(most) {
            let text = item["textEdit"]["newText"].as_str().unwrap();
            let label = item["label"].as_str().unwrap();
            let written = if text == label { String::new() } else { format!(" writes {text:?}") };
            let _ = writeln!(out, "{label}  {}{written}", item["detail"].as_str().unwrap_or_default());
        }
        if items.len() > most {
            let _ = writeln!(out, "and {} more", items.len() - most);
        }
        if let Some(item) = items.first().filter(|item| item.get("data").is_some()) {
            let more = client.request("completionItem/resolve", item.clone());
            let _ = writeln!(out, "--\n{}", more["documentation"]["value"].as_str().unwrap_or_default());
        }
        if items.is_empty() { "nothing".to_owned() } else { out }
    }

    fn rename(&self, client: &mut Client, at: Value, name: &str) -> String {
        let id = client.ask("textDocument/prepareRename", at.clone());
        let prepared = client.answer(id);
        if let Some(error) = prepared.get("error") {
            return format!("refused: {}", error["message"].as_str().unwrap());
        }
        let mut params = at;
        params["newName"] = json!(name);
        let id = client.ask("textDocument/rename", params);
        let renamed = client.answer(id);
        let prepared = &prepared["result"];
        let mut out = format!("{} {}\n", range(&prepared["range"]), prepared["placeholder"].as_str().unwrap());
        match renamed.get("error") {
            Some(error) => out.push_str(&format!("refused: {}", error["message"].as_str().unwrap())),
            None => out.push_str(&workspace_edit(client, &renamed["result"])),
        }
        out
    }

    fn actions(&self, client: &mut Client, document: Value, here: Value) -> String {
        let mut params = document;
        params["range"] = here;
        params["context"] = json!({ "diagnostics": [] });
        let actions = client.request("textDocument/codeAction", params);
        let mut out = String::new();
        for action in actions.as_array().unwrap() {
            let preferred = if action["isPreferred"] == true { ", preferred" } else { "" };
            let kind = action["kind"].as_str().unwrap();
            let _ = writeln!(out, "{} ({kind}{preferred})", action["title"].as_str().unwrap());
            for line in workspace_edit(client, &action["edit"]).lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        if out.is_empty() { "nothing".to_owned() } else { out }
    }

    fn tokens(&self, tokens: &Value) -> String {
        let data: Vec<u64> = tokens["data"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
        let (mut line, mut start) = (0, 0);
        let mut out = String::new();
        for token in data.chunks(5) {
            if token[0] > 0 {
                start = 0;
            }
            line += token[0];
            start += token[1];
            let word: String = self.lines[line as usize].chars().skip(start as usize).take(token[2] as usize).collect();
            let _ = writeln!(out, "{line}:{start} {word}  type {} modifiers {}", token[3], token[4]);
        }
        out
    }

    fn lenses(&self, client: &mut Client, document: Value) -> String {
        let lenses = client.request("textDocument/codeLens", document);
        let mut out = String::new();
        for lens in lenses.as_array().unwrap() {
            let lens = match lens.get("command") {
                Some(_) => lens.clone(),
                None => client.request("codeLens/resolve", lens.clone()),
            };
            let command = &lens["command"];
            let line = &lens["range"]["start"]["line"];
            let _ = writeln!(
                out,
                "{line} {} ({})",
                command["title"].as_str().unwrap(),
                command["command"].as_str().unwrap()
            );
        }
        out
    }

    fn calls(&self, client: &mut Client, at: Value) -> String {
        let items = client.request("textDocument/prepareCallHierarchy", at);
        let mut out = String::new();
        for item in items.as_array().map_or(&[][..], Vec::as_slice) {
            let _ = writeln!(out, "{}", item["name"].as_str().unwrap());
            for (method, end, word) in [("incomingCalls", "from", "used by"), ("outgoingCalls", "to", "uses")] {
                let calls = client.request(&format!("callHierarchy/{method}"), json!({ "item": item }));
                for call in calls.as_array().unwrap() {
                    let other = &call[end];
                    let places: Vec<String> = call["fromRanges"].as_array().unwrap().iter().map(range).collect();
                    let uri = short(client, other["uri"].as_str().unwrap());
                    let _ =
                        writeln!(out, "  {word} {} in {uri} at {}", other["name"].as_str().unwrap(), places.join(", "));
                }
            }
        }
        if out.is_empty() { "nothing".to_owned() } else { out }
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = lines.collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("\n") }
}

fn range(range: &Value) -> String {
    let (start, end) = (&range["start"], &range["end"]);
    format!("{}:{}..{}:{}", start["line"], start["character"], end["line"], end["character"])
}

fn edit(edit: &Value) -> String {
    format!("{} → {:?}", range(&edit["range"]), edit["newText"].as_str().unwrap())
}

fn short(client: &Client, uri: &str) -> String {
    let root = client.uri("");
    match uri.strip_prefix(&format!("{root}/")) {
        Some(name) => name.to_owned(),
        // A copy of the library in the cache.
        None => uri.rsplit_once("/library/").map_or(uri, |(_, name)| name).to_owned(),
    }
}

fn workspace_edit(client: &Client, value: &Value) -> String {
    let mut out = String::new();
    for file in value["documentChanges"].as_array().map_or(&[][..], Vec::as_slice) {
        let name = short(client, file["textDocument"]["uri"].as_str().unwrap());
        for one in file["edits"].as_array().unwrap() {
            let _ = writeln!(out, "{name} {}", edit(one));
        }
    }
    out
}

fn symbols(list: &Value, depth: usize) -> String {
    let mut out = String::new();
    for symbol in list.as_array().unwrap() {
        let detail = symbol["detail"].as_str().unwrap_or_default();
        let _ = writeln!(out, "{}{}  {detail}", "  ".repeat(depth), symbol["name"].as_str().unwrap());
        if symbol["children"].is_array() {
            out.push_str(&symbols(&symbol["children"], depth + 1));
        }
    }
    out
}

fn signature(help: &Value) -> String {
    let Some(signature) = help["signatures"].get(0) else { return "nothing".to_owned() };
    let label = signature["label"].as_str().unwrap();
    let active = help["activeParameter"].as_u64().map(|index| &signature["parameters"][index as usize]["label"]);
    let marks = active.and_then(Value::as_array).map(|range| {
        let (start, end) = (range[0].as_u64().unwrap() as usize, range[1].as_u64().unwrap() as usize);
        format!("\n{}{}", " ".repeat(start), "^".repeat(end - start))
    });
    format!("{label}{}", marks.unwrap_or_default())
}

#[test]
fn every_case_is_answered_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = String::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "case")) {
        let text = fs::read_to_string(path).unwrap();
        let case = Case::parse(&text);
        assert!(!case.answers.is_empty(), "{}: no `//= …`", path.display());
        let at = text.find("\n//= ").map_or(0, |at| at + 1);
        let drawn = format!("{}{}", &text[..at], case.draw());
        if drawn == text {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(path, drawn).unwrap();
        } else {
            let _ = writeln!(wrong, "{}\n{}\n", path.display(), &drawn[at..]);
        }
    }
    assert!(wrong.is_empty(), "answers differ (`UPDATE=1` rewrites them, to be reviewed):\n{wrong}");
}
