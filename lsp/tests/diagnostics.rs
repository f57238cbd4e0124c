//! Findings: of unsaved text, of all open profiles, of the newest version only, gone when they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use client::{Client, capabilities, codes};
use serde_json::json;

const FINE: &str = "default deny\nallow { @default, read }\n";

#[test]
fn findings_have_all_that_the_command_line_says() {
    let mut client = Client::ready();
    client.open("web.kpol", "default deny\nallow { @default, socket(famly == AF_UNIX) }\n");
    let said = client.diagnostics("web.kpol");
    assert_eq!(said["version"], 1);
    let finding = &said["diagnostics"][0];
    assert_eq!(finding["code"], "E031");
    assert_eq!(finding["source"], "kpol");
    assert_eq!(finding["severity"], 1);
    assert_eq!(
        finding["range"],
        json!({ "start": { "line": 1, "character": 25 }, "end": { "line": 1, "character": 30 } })
    );
    assert_eq!(finding["message"], "`socket` has no parameter `famly`\nhelp: did you mean `family`?");
    let page = finding["codeDescription"]["href"].as_str().unwrap().strip_prefix("file://").unwrap();
    assert!(std::fs::read_to_string(page).unwrap().contains("E031"));
    assert!(client.stop().success());
}

#[test]
fn an_edit_is_checked_unsaved_and_what_is_mended_goes() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    client.edit(
        "web.kpol",
        2,
        json!([{ "range": { "start": { "line": 1, "character": 18 }, "end": { "line": 1, "character": 22 } }, "text": "raed" }]),
    );
    let said = client.diagnostics("web.kpol");
    assert_eq!((codes(&said["diagnostics"]), &said["version"]), (vec!["E030".to_owned()], &json!(2)));
    client.change("web.kpol", 3, FINE);
    let said = client.diagnostics("web.kpol");
    assert_eq!((codes(&said["diagnostics"]), &said["version"]), (vec![], &json!(3)));
}

#[test]
fn what_is_included_is_taken_from_the_editor_and_findings_reach_all_profiles() {
    let mut client = Client::ready();
    client.write("base.kpol", "allow { read }\n");
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\nallow { @default, write }\ndeny { read }\n");
    // A file that is not open has findings where they are about it.
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    assert_eq!(client.codes("base.kpol"), ["E040"]);
    client.change("web.kpol", 2, "include \"base.kpol\"\ndefault deny\nallow { @default, write }\n");
    assert_eq!(client.codes("web.kpol"), [""; 0]);
    assert_eq!(client.codes("base.kpol"), [""; 0]);
    // Never saved, and still what the profile sees.
    client.open("base.kpol", "deny { write }\n");
    let said = client.diagnostics("base.kpol");
    assert_eq!(codes(&said["diagnostics"]), ["E040"]);
    let related = said["diagnostics"][0]["relatedInformation"].as_array().unwrap();
    assert!(related.iter().any(|place| place["location"]["uri"] == client.uri("web.kpol").as_str()), "{related:?}");
    // Closed: the disk counts again.
    client.close("base.kpol");
    assert_eq!(client.codes("base.kpol"), [""; 0]);
}

#[test]
fn what_is_closed_has_no_findings() {
    let mut client = Client::ready();
    client.open("web.kpol", "default deny\nallow { raed }\n");
    assert_eq!(client.codes("web.kpol"), ["E030"]);
    client.close("web.kpol");
    assert_eq!(client.codes("web.kpol"), [""; 0]);
}

#[test]
fn the_last_of_many_edits_is_what_is_said() {
    let mut client = Client::ready();
    client.open("web.kpol", FINE);
    for version in 2..=200 {
        let text = if version == 200 { "default deny\nallow { @default, lasst }\n" } else { FINE };
        client.change("web.kpol", version, text);
    }
    let mut last = 0;
    loop {
        let said = client.diagnostics("web.kpol");
        let version = said["version"].as_i64().unwrap();
        assert!(version > last, "never an older one");
        last = version;
        if version == 200 {
            assert_eq!(codes(&said["diagnostics"]), ["E030"]);
            break;
        }
    }
}

#[test]
fn a_client_that_pulls_is_not_pushed_to() {
    let mut can = capabilities();
    can["textDocument"]["diagnostic"] = json!({ "relatedDocumentSupport": true });
    let mut client = Client::ready_with(can);
    assert_eq!(client.server["capabilities"]["diagnosticProvider"]["interFileDependencies"], true);
    client.write("base.kpol", "allow { raed }\n");
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\nallow { @default }\n");
    let params = json!({ "textDocument": client.text_document("web.kpol") });
    let first = client.request("textDocument/diagnostic", params);
    assert_eq!((&first["kind"], codes(&first["items"])), (&json!("full"), vec![]));
    let base = client.uri("base.kpol");
    assert_eq!(codes(&first["relatedDocuments"][&base]["items"]), ["E030"]);
    let again = json!({ "textDocument": client.text_document("web.kpol"), "previousResultId": first["resultId"] });
    assert_eq!(client.request("textDocument/diagnostic", again)["kind"], "unchanged");
    client.change("web.kpol", 2, "default deny\nallow { raed }\n");
    let params = json!({ "textDocument": client.text_document("web.kpol") });
    assert_eq!(codes(&client.request("textDocument/diagnostic", params)["items"]), ["E030"]);
    assert!(!client.early.iter().any(|message| message["method"] == "textDocument/publishDiagnostics"));
}

#[test]
fn columns_are_counted_as_the_client_wants() {
    for (encodings, column) in [(json!(["utf-16", "utf-8"]), 20), (json!(["utf-32"]), 17), (json!([]), 18)] {
        let mut can = capabilities();
        can["general"]["positionEncodings"] = encodings;
        let mut client = Client::ready_with(can);
        client.open("web.kpol", "default deny\nallow { /* 🦀 */  raed, @default }\n");
        let said = client.diagnostics("web.kpol");
        let start = &said["diagnostics"][0]["range"]["start"];
        assert_eq!(start["character"], column, "{said}");
        // And the other way round: the word is replaced where the client says that it is.
        let range = &said["diagnostics"][0]["range"];
        client.edit("web.kpol", 2, json!([{ "range": range, "text": "read" }]));
        assert_eq!(client.codes("web.kpol"), [""; 0]);
    }
}

#[test]
fn a_project_file_has_findings_too() {
    let mut client = Client::ready();
    client.write("kpol.toml", "[target]\nkernal = \"6.1\"\n");
    client.open("web.kpol", FINE);
    assert_eq!(client.codes("kpol.toml"), ["E060"]);
    client.open("kpol.toml", "[target]\nkernel = \"6.1\"\n");
    assert_eq!(client.codes("kpol.toml"), [""; 0]);
}

#[test]
fn a_file_that_was_never_saved_is_checked() {
    let mut client = Client::ready();
    client.write("base.kpol", "allow { read }\n");
    client.open_uri("untitled:Untitled-1", "include \"base.kpol\"\ndefault deny\nallow { @default, raed }\n");
    let said = client.wait(|message| message["params"]["uri"] == "untitled:Untitled-1");
    assert_eq!(codes(&said["params"]["diagnostics"]), ["E030"]);
}
