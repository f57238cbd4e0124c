//! The page of `kpolc show --html` in a real browser: what a reader sees, searches and filters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kpol_tests::binaries::binary;
use kpol_tests::skip::{Skip, cache_dir, or_skip, program};
use kpol_tests::tools::node;
use serde_json::Value;

const POLICY: &str = "//! A service <script>alert(1)</script> & \"more\".\narch x86_64, aarch64\ndefault deny(EPERM)\n\
    allow { execve, read, socketpair, socket(family == AF_UNIX) }\nkill { ptrace }\n\
    assert \"<img src=x onerror=alert(1)>\" { not allow { bpf } }\n";

/// What the script saw, if there is a browser to drive.
fn drive(page: &Path) -> Result<Value, Skip> {
    let node = node()?;
    let chromium = program("chromium")?;
    let playwright = cache_dir().join("browser/node_modules/playwright-core");
    if !playwright.is_dir() {
        return Err(Skip("no playwright-core (tests/setup.sh installs it)".to_owned()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/show.js");
    // `timeout` so that a browser that hangs is no test that hangs.
    let output = Command::new("timeout")
        .args(["-k", "5", "240"])
        .arg(node)
        .arg(script)
        .args([playwright.canonicalize().unwrap().as_os_str(), chromium.as_os_str(), page.as_os_str()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

fn kpolc(folder: &Path, arguments: &[&str]) {
    let output = Command::new(binary("kpolc")).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reader_finds_calls_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.kpol"), POLICY).unwrap();
    let page = folder.path().join("web.html");
    // Looked for first: a page that nobody opens need not be made.
    let Some(_) = or_skip(program("chromium").and_then(|_| node())) else { return };
    kpolc(folder.path(), &["show", "web.kpol", "--html", "-o", "web.html"]);
    let Some(said) = or_skip(drive(&page)) else { return };
    let calls = |state: &str| -> Vec<String> {
        said[state]["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(said["errors"], serde_json::json!([]), "nothing is said on the console");
    assert_eq!(said["requests"], 0, "nothing is asked of the network");
    assert_eq!(said["title"], "web.kpol: what every call gets");
    assert!(calls("all").len() > 300 && said["all"]["tools"] == true);
    assert_eq!(calls("search"), ["socket", "socketpair"]);
    assert_eq!(said["search"]["hash"], "#q=socket");
    assert_eq!(calls("cleared"), calls("all"));
    assert_eq!(said["cleared"]["hash"], "");
    assert_eq!(said["denied"]["actions"], serde_json::json!(["deny(EPERM)"]));
    let denied = calls("denied");
    assert!(denied.contains(&"mount".to_owned()) && denied.contains(&"socket".to_owned()), "{denied:?}");
    assert!(!denied.contains(&"read".to_owned()) && !denied.contains(&"ptrace".to_owned()), "{denied:?}");
    assert_eq!(calls("conditional"), ["socket"]);
    assert_eq!((calls("nothing").len(), &said["nothing"]["none"]), (0, &true.into()));
    assert_eq!(calls("linked"), ["socket", "socketpair"], "a filter can be sent as a link");
    assert_eq!(said["linked"]["actions"], serde_json::json!(["allow"]));
    assert_eq!(calls("without"), calls("all"), "all is there without scripts");
    assert_eq!(said["without"]["tools"], false, "controls that do nothing are not shown");
    assert_eq!(calls("printed"), calls("all"));
    assert_eq!(said["printed"]["tools"], false);
    assert_ne!(said["paper"][0], said["paper"][1], "there is a dark one");
    assert_eq!(said["overflow"], 0, "a phone need not scroll sideways");
    assert_eq!(said["unnamed"], 0, "every control has a label");
}
