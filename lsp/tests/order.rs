//! Order is kept: a request sees the text of its moment, and however edits come, the end is the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use std::collections::HashMap;

use client::Client;
use serde_json::{Value, json};

/// Numbers that look thrown, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const PIECES: [&str; 12] = [
    "allow { read }\n",
    "group @x { write }\n",
    "deny {",
    "}",
    " socket(family == AF_UNIX)",
    "// kpol 🦀\n",
    "default deny\n",
    "\n",
    "@x,",
    "const A = 3\n",
    "raed",
    "include \"base.kpol\"\n",
];

/// Where a byte is, in UTF-16.
fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let line = before.matches('\n').count();
    let column: usize = before.rsplit('\n').next().unwrap().chars().map(char::len_utf16).sum();
    json!({ "line": line, "character": column })
}

fn boundary(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[test]
fn ten_thousand_messages_end_where_a_fresh_server_begins() {
    let mut client = Client::ready();
    client.write("base.kpol", "allow { close }\n");
    let names = ["web.kpol", "other.kpol"];
    let mut texts: HashMap<&str, String> = HashMap::new();
    for name in names {
        client.open(name, "default deny\nallow { @default }\n");
        texts.insert(name, "default deny\nallow { @default }\n".to_owned());
    }
    let mut dice = Dice(7);
    let mut version = 1;
    let mut last: HashMap<&str, i64> = HashMap::new();
    // Questions, and how many lines the text had when each was asked.
    let mut asked: Vec<(i64, String)> = Vec::new();
    for _ in 0..10_000 {
        let name = names[dice.roll(2)];
        let text = texts.get_mut(name).unwrap();
        match dice.roll(4) {
            0 => {
                let whole = json!({ "textDocument": { "uri": client.uri(name) } });
                asked.push((
                    client.ask("textDocument/selectionRange", {
                        let mut params = whole;
                        params["positions"] = json!([{ "line": 0, "character": 0 }]);
                        params
                    }),
                    text.clone(),
                ));
            }
            _ => {
                let start = boundary(text, dice.roll(text.len() + 1));
                let end = boundary(text, (start + dice.roll(12)).min(text.len())).max(start);
                let piece = if text.len() > 600 { "" } else { PIECES[dice.roll(PIECES.len())] };
                let range = json!({ "start": position(text, start), "end": position(text, end) });
                version += 1;
                let edit = json!([{ "range": range, "text": piece }]);
                text.replace_range(start..end, piece);
                client.edit(name, version, edit);
                last.insert(name, version);
            }
        }
    }
    for (id, text) in asked {
        let answer = client.answer(id);
        // The outermost selection is the whole text of the moment.
        let mut range = &answer["result"][0];
        while range["parent"].is_object() {
            range = &range["parent"];
        }
        assert_eq!(range["range"]["end"], position(&text, text.len()), "{text}");
    }
    let mut fresh = Client::ready();
    fresh.write("base.kpol", "allow { close }\n");
    for name in names {
        fresh.open(name, &texts[name]);
        let said = loop {
            let said = client.diagnostics(name);
            if said["version"] == last[name] {
                break said;
            }
        };
        let again = fresh.diagnostics(name);
        // Places and words too; only the folders of the two servers differ.
        let told = |said: &Value| -> Vec<Value> {
            let one = |found: &Value| json!([found["code"], found["range"], found["message"], found["severity"]]);
            said["diagnostics"].as_array().unwrap().iter().map(one).collect()
        };
        assert_eq!(told(&said), told(&again), "{}", texts[name]);
        for method in ["textDocument/documentSymbol", "textDocument/semanticTokens/full", "textDocument/foldingRange"] {
            let ask = |client: &mut Client| {
                let mut answer = client.request(method, json!({ "textDocument": { "uri": client.uri(name) } }));
                if let Some(map) = answer.as_object_mut() {
                    map.remove("resultId");
                }
                answer
            };
            assert_eq!(ask(&mut client), ask(&mut fresh), "{method} of {}", texts[name]);
        }
    }
}

#[test]
fn differences_of_tokens_lead_to_the_tokens() {
    let mut client = Client::ready();
    let mut text = "default deny\nallow { read, write }\n".to_owned();
    client.open("web.kpol", &text);
    let document = json!({ "textDocument": client.text_document("web.kpol") });
    let first = client.request("textDocument/semanticTokens/full", document.clone());
    let mut data: Vec<Value> = first["data"].as_array().unwrap().clone();
    let mut id = first["resultId"].clone();
    let mut dice = Dice(3);
    for version in 2..60 {
        let at = boundary(&text, dice.roll(text.len() + 1));
        text.insert_str(at, PIECES[dice.roll(PIECES.len())]);
        client.change("web.kpol", version, &text);
        let mut params = document.clone();
        params["previousResultId"] = id.clone();
        let delta = client.request("textDocument/semanticTokens/full/delta", params);
        for edit in delta["edits"].as_array().unwrap() {
            let start = edit["start"].as_u64().unwrap() as usize;
            let end = start + edit["deleteCount"].as_u64().unwrap() as usize;
            data.splice(start..end, edit["data"].as_array().unwrap().iter().cloned());
        }
        let whole = client.request("textDocument/semanticTokens/full", document.clone());
        assert_eq!(&data, whole["data"].as_array().unwrap());
        id = whole["resultId"].clone();
    }
    let mut params = document;
    params["previousResultId"] = json!("long gone");
    assert!(client.request("textDocument/semanticTokens/full/delta", params)["data"].is_array());
}
