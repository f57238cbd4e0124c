//! Several folders at once, and clients that fetch findings instead of being told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use client::{Client, capabilities, codes, uri};
use serde_json::{Value, json};

/// A client that fetches, and wants to know when it should fetch again.
fn pulling() -> Client {
    let mut can = capabilities();
    can["textDocument"]["diagnostic"] = json!({ "dynamicRegistration": false });
    can["workspace"]["diagnostics"] = json!({ "refreshSupport": true });
    Client::ready_with(can)
}

fn pull(client: &mut Client, name: &str) -> Vec<String> {
    let document = client.text_document(name);
    let report = client.request("textDocument/diagnostic", json!({ "textDocument": document }));
    codes(&report["items"])
}

/// Waits until the server asks for new questions, and agrees.
fn refreshed(client: &mut Client) {
    let asked = client.wait(|message| message["method"] == "workspace/diagnostic/refresh");
    client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null }));
}

#[test]
fn who_fetches_is_asked_to_fetch_again_when_another_file_changes_the_answer() {
    let mut client = pulling();
    let base = "group @net { socket }\n";
    client.write("base.kpol", base);
    client.open("web.kpol", "include \"base.kpol\"\ndefault deny\nallow { @default, @net }\n");
    assert_eq!(pull(&mut client, "web.kpol"), [""; 0]);
    client.open("base.kpol", base);
    assert_eq!(pull(&mut client, "web.kpol"), [""; 0]);
    client.change("base.kpol", 2, "group @network { socket }\n");
    refreshed(&mut client);
    assert_eq!(pull(&mut client, "web.kpol"), ["E026"]);
    client.change("base.kpol", 3, base);
    refreshed(&mut client);
    assert_eq!(pull(&mut client, "web.kpol"), [""; 0]);
    // Whoever fetches is never told as well.
    let told = |message: &Value| message["method"] == "textDocument/publishDiagnostics";
    assert!(!client.early.iter().any(told));
    assert!(client.stop().success());
}

#[test]
fn each_folder_has_its_own_project_file() {
    let mut client = Client::start();
    for (folder, level) in [("one", "deny"), ("two", "allow")] {
        client.write(&format!("{folder}/kpol.toml"), &format!("[lints]\nW013 = \"{level}\"\n"));
    }
    let [one, two] = ["one", "two"].map(|folder| uri(&client.path(folder)));
    let folders = json!([{ "uri": one, "name": "one" }, { "uri": two, "name": "two" }]);
    client.request(
        "initialize",
        json!({ "processId": null, "capabilities": capabilities(), "rootUri": one, "workspaceFolders": folders }),
    );
    client.notify("initialized", json!({}));
    let text = "group @mine { read }\ndefault deny\nallow { @default, @mine, read }\n";
    for folder in ["one", "two"] {
        client.open(&format!("{folder}/web.kpol"), text);
    }
    let said = client.diagnostics("one/web.kpol")["diagnostics"].clone();
    assert!(codes(&said).contains(&"W013".to_owned()) && said[0]["severity"] == 1, "{said}");
    assert_eq!(client.codes("two/web.kpol"), [""; 0]);
    // The workspace is all of them, and those that come later.
    let places = |client: &mut Client| {
        let found = client.request("workspace/symbol", json!({ "query": "mine" }));
        found.as_array().unwrap().len()
    };
    client.write("three/lib.kpol", "group @mine-too { write }\n");
    assert_eq!(places(&mut client), 2);
    let three = json!({ "uri": uri(&client.path("three")), "name": "three" });
    client.notify("workspace/didChangeWorkspaceFolders", json!({ "event": { "added": [three], "removed": [] } }));
    assert_eq!(places(&mut client), 3);
    client.notify("workspace/didChangeWorkspaceFolders", json!({ "event": { "added": [], "removed": [three] } }));
    assert_eq!(places(&mut client), 2);
    assert!(client.stop().success());
}
