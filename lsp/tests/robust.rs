//! It never dies, and nothing that a client does or leaves undone keeps it from answering.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use client::{Client, capabilities};
use serde_json::{Value, json};

const FINE: &str = "default deny\nallow { @default, read }\n";

/// Every question there is about a place.
fn ask_everything(client: &mut Client, name: &str, line: u32, character: u32) {
    let at = client.at(name, line, character);
    let with = |more: Value| {
        let mut params = at.clone();
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        params
    };
    let range = json!({ "start": at["position"], "end": at["position"] });
    let options = json!({ "tabSize": 4, "insertSpaces": true });
    for (method, params) in [
        ("textDocument/hover", at.clone()),
        ("textDocument/completion", at.clone()),
        ("textDocument/signatureHelp", at.clone()),
        ("textDocument/definition", at.clone()),
        ("textDocument/references", with(json!({ "context": { "includeDeclaration": true } }))),
        ("textDocument/documentHighlight", at.clone()),
        ("textDocument/prepareCallHierarchy", at.clone()),
        ("textDocument/documentSymbol", at.clone()),
        ("textDocument/foldingRange", at.clone()),
        ("textDocument/documentLink", at.clone()),
        ("textDocument/codeLens", at.clone()),
        ("textDocument/formatting", with(json!({ "options": options }))),
        ("textDocument/rangeFormatting", with(json!({ "range": range, "options": options }))),
        ("textDocument/onTypeFormatting", with(json!({ "ch": "}", "options": options }))),
        ("textDocument/inlayHint", with(json!({ "range": range }))),
        ("textDocument/semanticTokens/full", at.clone()),
        ("textDocument/semanticTokens/range", with(json!({ "range": range }))),
        ("textDocument/selectionRange", with(json!({ "positions": [at["position"]] }))),
        ("textDocument/codeAction", with(json!({ "range": range, "context": { "diagnostics": [] } }))),
    ] {
        client.request(method, params);
    }
    for (method, params) in
        [("textDocument/prepareRename", at.clone()), ("textDocument/rename", with(json!({ "newName": "🦀" })))]
    {
        let id = client.ask(method, params);
        let answer = client.answer(id);
        let code = &answer["error"]["code"];
        assert!(answer.get("result").is_some() || *code == -32803, "{method}: {answer}");
    }
}

/// A release has no such command.
#[cfg(debug_assertions)]
#[test]
fn a_panic_is_an_error_for_one_question() {
    let mut client = Client::ready();
    client.open("main.kpol", FINE);
    let before = client.request("textDocument/hover", client.at("main.kpol", 1, 18));
    assert!(before["contents"]["value"].as_str().unwrap().contains("read"));
    for _ in 0..3 {
        let uri = client.text_document("main.kpol")["uri"].clone();
        let id = client.ask("workspace/executeCommand", json!({ "command": "kpol.panic", "arguments": [uri] }));
        let answer = client.answer(id);
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
    }
    // What was open is open still, and an edit is an edit.
    assert_eq!(client.request("textDocument/hover", client.at("main.kpol", 1, 18)), before);
    client.diagnostics("main.kpol");
    client.change("main.kpol", 2, "default deny\nallow { @default, raed }\n");
    assert_eq!(client.codes("main.kpol"), ["E030"]);
}

#[test]
fn every_question_is_answered_at_every_place() {
    let mut client = Client::ready();
    let text = "//! 🦀\ninclude \"base.kpol\"\ndefault deny(ENOSYS)\nconst A = { AF_UNIX, 3..5 }\ngroup @g { read except { write }, \
        socket(domain in A || type & 3) }\nwhen cap CAP_X && kernel >= 5.11 { allow { @g, opnat } }\nassert \"t\" { not deny { @g } }\n\
        allow { socket(fam\n/* open";
    client.write("base.kpol", "group @web { read }\n");
    client.open("web.kpol", text);
    for (number, line) in text.lines().enumerate() {
        for column in (0..line.len() as u32 + 2).step_by(3) {
            ask_everything(&mut client, "web.kpol", number as u32, column);
        }
    }
    assert!(client.stop().success());
}

#[test]
fn places_that_do_not_exist_are_answered() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    for (line, character) in [(0, 9_999), (9_999, 0), (u32::MAX >> 1, u32::MAX >> 1)] {
        ask_everything(&mut client, "web.kpol", line, character);
    }
    // Nor do files.
    let at = client.at("missing.kpol", 0, 0);
    assert_eq!(client.request("textDocument/hover", at), Value::Null);
    client.refused(
        "textDocument/hover",
        json!({ "textDocument": { "uri": "file:///x" }, "position": { "line": -1, "character": 0 } }),
    );
}

#[test]
fn versions_that_make_no_sense_are_taken_as_they_come() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    assert_eq!(client.diagnostics("web.kpol")["version"], 1);
    client.change("web.kpol", 7, "default deny\nallow { raed }\n");
    assert_eq!(client.diagnostics("web.kpol")["version"], 7);
    client.change("web.kpol", 3, FINE);
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    // Twice opened, never opened, twice closed.
    client.open("web.kpol", "default deny\nallow { raed }\n");
    assert_eq!(client.codes("web.kpol"), ["E030"]);
    client.change("never.kpol", 1, FINE);
    client.close("web.kpol");
    client.close("web.kpol");
    assert_eq!(client.codes("web.kpol"), [""; 0]);
}

#[test]
fn a_file_of_fifty_megabytes_is_refused_in_words_and_others_go_on() {
    let mut client = Client::ready();
    let huge = "allow { read }\n".repeat(50 * 1024 * 1024 / 15);
    client.open("huge.kpol", &huge);
    assert_eq!(client.codes("huge.kpol"), ["E011"]);
    ask_everything(&mut client, "huge.kpol", 3, 3);
    client.open("web.kpol", "default deny\nallow { raed }\n");
    assert_eq!(client.codes("web.kpol"), ["E030"]);
    client.change("huge.kpol", 2, FINE);
    assert_eq!(client.codes("huge.kpol"), [""; 0]);
}

#[test]
fn an_included_file_may_vanish_and_come_back() {
    let mut client = Client::ready();
    client.write("base.kpol", "allow { write }\n");
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\nallow { @default }\n");
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    std::fs::remove_file(client.path("base.kpol")).unwrap();
    let tell = |client: &mut Client, kind: u32| {
        let uri = client.uri("base.kpol");
        client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": uri, "type": kind }] }));
    };
    tell(&mut client, 3);
    assert_eq!(client.codes("web.kpol"), ["E012"]);
    client.write("base.kpol", "allow { wriet }\n");
    tell(&mut client, 1);
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    assert_eq!(client.codes("base.kpol"), ["E030"]);
}

#[test]
fn a_thousand_open_files_cost_an_edit_nothing() {
    let mut client = Client::ready();
    client.write("base.kpol", "allow { read }\n");
    for index in 0..1000 {
        // Profiles cost more than libraries: a few are enough.
        let text = if index % 100 == 0 {
            "include \"base.kpol\"\ndefault deny\nallow { @default }\n"
        } else {
            "include \"base.kpol\"\nallow { write }\n"
        };
        client.open(&format!("web{index}.kpol"), text);
    }
    for index in 0..1000 {
        client.diagnostics(&format!("web{index}.kpol"));
    }
    client.early.clear();
    client.change("web500.kpol", 2, "default deny\nallow { raed }\n");
    assert_eq!(client.codes("web500.kpol"), ["E030"]);
    assert!(client.early.is_empty(), "nothing is said of files that did not change");
    assert!(client.stop().success());
}

#[test]
fn settings_that_are_never_sent_keep_nobody() {
    let mut can = capabilities();
    can["workspace"]["configuration"] = json!(true);
    can["workspace"]["didChangeWatchedFiles"] = json!({ "dynamicRegistration": true });
    let mut client = Client::ready_with(can);
    let pulled = client.wait(|message| message["method"] == "workspace/configuration");
    assert_eq!(pulled["params"]["items"][0]["section"], "kpol");
    let registered = client.wait(|message| message["method"] == "client/registerCapability");
    assert!(registered["params"]["registrations"][0]["registerOptions"]["watchers"].is_array());
    // Neither is answered, and still:
    client.write("lib/base.kpol", "allow { read }\n");
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\nallow { @default }\n");
    assert_eq!(client.codes("web.kpol"), ["E012"]);
    // Late is not too late.
    let folder = client.path("lib");
    client.send(&json!({ "jsonrpc": "2.0", "id": pulled["id"], "result": [{ "include": [folder] }] }));
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    assert!(client.stop().success());
}

#[test]
fn levels_of_warnings_are_the_editors_before_those_of_the_project_file() {
    let mut can = capabilities();
    can["workspace"]["configuration"] = json!(true);
    let mut client = Client::ready_with(can);
    let pulled = client.wait(|message| message["method"] == "workspace/configuration");
    client.write("kpol.toml", "[lints]\nW001 = \"deny\"\nW014 = \"allow\"\n");
    client.open("web.kpol", "arch aarch64\ndefault deny\nallow { @default, poll }\ngroup @mine { read }\n");
    assert_eq!(client.codes("web.kpol"), ["W001"]);
    let settings = json!({ "lints": { "W001": "allow", "no-such-warning": "deny", "W014": 3 } });
    client.send(&json!({ "jsonrpc": "2.0", "id": pulled["id"], "result": [settings] }));
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    assert!(client.stop().success());
}

#[test]
fn what_is_cancelled_is_answered_as_such_or_was_faster() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    for _ in 0..50 {
        let at = client.at("web.kpol", 1, 20);
        let id = client.ask("textDocument/hover", at);
        client.notify("$/cancelRequest", json!({ "id": id }));
        let answer = client.answer(id);
        assert!(answer["error"]["code"] == -32800 || answer.get("result").is_some(), "{answer}");
    }
}

#[test]
fn includes_follow_a_file_that_moves() {
    let mut can = capabilities();
    can["workspace"]["fileOperations"] = json!({ "willRename": true });
    let mut client = Client::ready_with(can);
    assert!(client.server["capabilities"]["workspace"]["fileOperations"]["willRename"]["filters"].is_array());
    client.write("base.kpol", "allow { read }\n");
    client.write("org/web.kpol", "include \"../base.kpol\"\ndefault deny\n");
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\n");
    let (from, to) = (client.uri("base.kpol"), client.uri("org/common.kpol"));
    let edit = client.request("workspace/willRenameFiles", json!({ "files": [{ "oldUri": from, "newUri": to }] }));
    let text = edit.to_string();
    assert!(text.contains("\"org/common.kpol\"") && text.contains("\"common.kpol\""), "{text}");
    let (from, to) = (client.uri("org"), client.uri("lib/org"));
    let edit = client.request("workspace/willRenameFiles", json!({ "files": [{ "oldUri": from, "newUri": to }] }));
    assert!(edit.to_string().contains("\"../../base.kpol\""), "{edit}");
}

#[test]
fn commands_answer_with_text() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    let uri = client.uri("web.kpol");
    let run = |command: &str, arguments: Value| json!({ "command": command, "arguments": arguments });
    let json = client.request("workspace/executeCommand", run("kpol.preview", json!([uri, "json"])));
    assert!(json.as_str().unwrap().contains("SCMP_ACT_ALLOW"), "{json}");
    let listing = client.request("workspace/executeCommand", run("kpol.preview", json!([uri, "bpf"])));
    assert!(listing.as_str().unwrap().contains("ret"), "{listing}");
    client.change("web.kpol", 2, "default deny\nallow { raed }\n");
    let refused = client.refused("workspace/executeCommand", run("kpol.preview", json!([uri, "json"])));
    assert!(refused["message"].as_str().unwrap().contains("E030"), "{refused}");
    client.refused("workspace/executeCommand", run("kpol.preview", json!([])));
    client.refused("workspace/executeCommand", run("kpol.nothing", json!([uri])));
}

#[test]
fn names_of_the_workspace_are_found_with_progress() {
    let mut client = Client::ready();
    client.write("base.kpol", "group @web-base { read }\nconst WEB = 3\n");
    let found = client.request("workspace/symbol", json!({ "query": "web", "workDoneToken": "t" }));
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["@web-base", "WEB"]);
    let ended = |message: &Value| message["method"] == "$/progress" && message["params"]["value"]["kind"] == "end";
    client.wait(ended);
    client.open("main.kpol", "include \"base.kpol\"\ndefault deny\nallow { @web-base }\n");
    let mut uses = client.at("main.kpol", 2, 12);
    uses["context"] = json!({ "includeDeclaration": true });
    uses["workDoneToken"] = json!("u");
    let found = client.request("textDocument/references", uses);
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    client.wait(ended);
}
