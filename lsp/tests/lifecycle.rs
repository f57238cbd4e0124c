//! Beginning and end, and everything that a client may do wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use client::{Client, capabilities};
use serde_json::{Value, json};

#[test]
fn before_the_beginning_and_after_the_end_there_are_errors() {
    let mut client = Client::start();
    let params = json!({ "textDocument": { "uri": "file:///x.kpol" } });
    assert_eq!(client.refused("textDocument/documentSymbol", params.clone())["code"], -32002);
    client.initialize(capabilities(), Value::Null);
    assert_eq!(client.refused("initialize", json!({ "capabilities": {} }))["code"], -32600);
    assert_eq!(client.request("textDocument/documentSymbol", params.clone()), Value::Null);
    client.request("shutdown", Value::Null);
    assert_eq!(client.refused("textDocument/documentSymbol", params)["code"], -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_end().code(), Some(0));
}

#[test]
fn exit_without_shutdown_is_a_failure() {
    let mut client = Client::ready();
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_end().code(), Some(1));
}

#[test]
fn a_client_that_vanishes_takes_the_server_with_it() {
    let mut client = Client::ready();
    client.open("web.kpol", "default deny\n");
    assert_eq!(client.vanish().code(), Some(1));
}

#[test]
fn nonsense_is_answered_and_passed_over() {
    let mut client = Client::ready();
    let error =
        |client: &mut Client| client.wait(|message| message["id"] == Value::Null && message.get("error").is_some());
    client.send_raw(b"Content-Length: 9\r\n\r\n{\"a\": nop");
    assert_eq!(error(&mut client)["error"]["code"], -32700);
    client.send_raw(b"Content-Length: 7\r\n\r\n[1,2,3]");
    assert_eq!(error(&mut client)["error"]["code"], -32600);
    client.send_raw(b"what is this\r\n\r\nContent-Length: none\r\n\r\n");
    assert_eq!(client.refused("textDocument/nothing", json!({}))["code"], -32601);
    assert_eq!(client.refused("textDocument/formatting", json!({ "wrong": true }))["code"], -32602);
    client.notify("textDocument/didChange", json!([1]));
    client.notify("$/unknown", json!({}));
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": "no uri at all" } }));
    client.open("web.kpol", "default deny\nallow { raed }\n");
    assert_eq!(client.codes("web.kpol"), ["E030"]);
    assert!(client.stop().success());
}

#[test]
fn half_a_message_waits_for_its_other_half() {
    let mut client = Client::ready();
    let body = json!({ "jsonrpc": "2.0", "id": "half", "method": "shutdown" }).to_string();
    let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let (first, second) = frame.split_at(30);
    client.send_raw(first.as_bytes());
    client.send_raw(second.as_bytes());
    assert_eq!(client.wait(|message| message["id"] == "half")["result"], Value::Null);
}

#[test]
fn half_a_message_at_the_end_is_an_end() {
    let mut client = Client::ready();
    client.send_raw(b"Content-Length: 1000\r\n\r\n{\"half");
    assert_eq!(client.vanish().code(), Some(1));
}
