//! SARIF 2.1.0, for code scanners (OASIS standard of 27 March 2020).
//!
//! ```text
//! E031 at web.kpol:2:15  →  runs[0].results[0]:  ruleId "E031", one location, relatedLocations, fixes
//!                           runs[0].tool.driver.rules[0]:  the title and the page of E031
//! ```
//!
//! Columns count Unicode code points (`columnKind`), and every region has its bytes as well. A relative path is
//! a URI relative to `%SRCROOT%`, the folder in which kpolc was started; an absolute one is `file:///…`; a file of
//! the library is `kpol-library:profiles/base`. The rules are those that were broken, in the order of their codes.

use serde_json::{Map, Value, json};

use super::place::{Places, Unit};
use crate::diagnostic::explain::{self, first_paragraph};
use crate::diagnostic::{Code, Diagnostic, Edit, Fix, Label, Severity, Span};
use crate::source::Sources;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// All findings as one log of one run, indented, with a newline behind it.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let places = Places::new(sources);
    let mut codes: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<_> = diagnostics.iter().map(|diagnostic| result(diagnostic, &codes, &places)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kpolc",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().copied().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "%SRCROOT%": {
                "description": { "text": "the folder in which kpolc was started" },
            }},
            "results": results,
        }],
    });
    // Only a failing writer could make this an error.
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn level(severity: Severity) -> &'static str {
    super::severity_word(severity)
}

fn rule(code: Code) -> Value {
    let page = code.page();
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": first_paragraph(code).unwrap_or_else(|| code.title().to_owned()) },
        "help": { "text": explain::render(code, false, 100), "markdown": page },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result(diagnostic: &Diagnostic, codes: &[Code], places: &Places<'_>) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".into(), diagnostic.code.as_str().into());
    if let Ok(index) = codes.binary_search(&diagnostic.code) {
        result.insert("ruleIndex".into(), index.into());
    }
    result.insert("level".into(), level(diagnostic.severity).into());
    result.insert("message".into(), json!({ "text": message(diagnostic) }));
    // Required by some readers even where it is empty.
    let locations = diagnostic.primary.iter().map(|label| location(label, None, places)).collect();
    result.insert("locations".into(), Value::Array(locations));
    if !diagnostic.related.is_empty() {
        let related = (0..).zip(&diagnostic.related).map(|(id, label)| location(label, Some(id), places)).collect();
        result.insert("relatedLocations".into(), Value::Array(related));
    }
    if let Some(fix) = &diagnostic.fix {
        result.insert("fixes".into(), json!([fix_value(fix, places)]));
    }
    Value::Object(result)
}

/// Message, facts and help: SARIF has one text for all of them.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    for note in &diagnostic.notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    text
}

fn location(label: &Label, id: Option<u32>, places: &Places<'_>) -> Value {
    let mut location = Map::new();
    if let Some(id) = id {
        location.insert("id".into(), id.into());
    }
    location.insert(
        "physicalLocation".into(),
        json!({ "artifactLocation": artifact(label.span, places), "region": region(label.span, places) }),
    );
    if !label.text.is_empty() {
        location.insert("message".into(), json!({ "text": label.text }));
    }
    Value::Object(location)
}

fn region(span: Span, places: &Places<'_>) -> Value {
    let bytes = places.bytes(span);
    let (start, end) = places.ends(span, Unit::CodePoint);
    json!({
        "startLine": start.line, "startColumn": start.column,
        "endLine": end.line, "endColumn": end.column,
        "byteOffset": bytes.start, "byteLength": bytes.len(),
    })
}

fn artifact(span: Span, places: &Places<'_>) -> Value {
    let name = &places.file(span.file).name;
    if let Some(library) = name.strip_prefix('<') {
        json!({ "uri": format!("kpol-library:{}", encode(library.trim_end_matches('>'))) })
    } else if name.starts_with('/') {
        json!({ "uri": format!("file://{}", encode(name)) })
    } else {
        let mut relative = name.as_str();
        while let Some(rest) = relative.strip_prefix("./") {
            relative = rest;
        }
        json!({ "uri": encode(relative), "uriBaseId": "%SRCROOT%" })
    }
}

/// A path as a URI's path (RFC 3986): all but unreserved characters and `/` by their number. The colon too:
/// in a first segment it would make a scheme of it.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn fix_value(fix: &Fix, places: &Places<'_>) -> Value {
    // One change a file, files in the order of their first edit.
    let mut changes: Vec<(Span, Vec<&Edit>)> = Vec::new();
    for edit in &fix.edits {
        match changes.iter_mut().find(|(first, _)| first.file == edit.span.file) {
            Some((_, edits)) => edits.push(edit),
            None => changes.push((edit.span, vec![edit])),
        }
    }
    let changes: Vec<_> = changes
        .into_iter()
        .map(|(first, edits)| {
            let replacements: Vec<_> = edits
                .into_iter()
                .map(|edit| {
                    json!({ "deletedRegion": region(edit.span, places), "insertedContent": { "text": edit.text } })
                })
                .collect();
            json!({ "artifactLocation": artifact(first, places), "replacements": replacements })
        })
        .collect();
    json!({ "description": { "text": fix.title }, "artifactChanges": changes })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::Case;
    use super::*;

    fn log(diagnostics: &[Diagnostic], sources: &Sources) -> Value {
        serde_json::from_str(&render(diagnostics, sources)).unwrap()
    }

    #[test]
    fn a_result_points_at_its_rule_its_places_and_its_fix() {
        let case = Case::new(&[
            ("./web ü.kpol", "default allow /* ä */\ndeny { socket(famly == 1) }\n"),
            ("/etc/x:y.kpol", "x"),
            ("<profiles/base>", "x"),
        ]);
        let famly = case.find(0, "famly");
        let finding = case
            .at(0, "famly", Code::E031, "`socket` has no parameter `famly`")
            .related(case.find(1, "x"), "through this include")
            .related(case.find(2, "x"), "")
            .help("did you mean `family`?")
            .fix("replace `famly` by `family`", famly, "family");
        let warning = case.at(0, "ä", Code::W012, "m");
        let log = log(&[warning, finding], &case.sources);

        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.iter().map(|rule| &rule["id"]).collect::<Vec<_>>(), ["E031", "W012"]);
        assert_eq!(rules[0]["shortDescription"]["text"], "unknown parameter");
        assert_eq!(rules[1]["defaultConfiguration"]["level"], "warning");

        let (warning, error) = (&run["results"][0], &run["results"][1]);
        assert_eq!((&warning["ruleId"], &warning["ruleIndex"]), (&json!("W012"), &json!(1)));
        assert_eq!(
            (&error["ruleId"], &error["ruleIndex"], &error["level"]),
            (&json!("E031"), &json!(0), &json!("error"))
        );
        assert_eq!(error["message"]["text"], "`socket` has no parameter `famly`\nhelp: did you mean `family`?");

        // One two-byte letter stands on the line of the warning, and none on that of the error.
        assert_eq!(
            warning["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": { "uri": "web%20%C3%BC.kpol", "uriBaseId": "%SRCROOT%" },
                "region": {
                    "startLine": 1, "startColumn": 18, "endLine": 1, "endColumn": 19, "byteOffset": 17, "byteLength": 2,
                },
            })
        );
        let famly = json!({
            "startLine": 2, "startColumn": 15, "endLine": 2, "endColumn": 20, "byteOffset": 37, "byteLength": 5,
        });
        assert_eq!(error["locations"][0]["physicalLocation"]["region"], famly);
        let uri = |index: usize| &error["relatedLocations"][index]["physicalLocation"]["artifactLocation"];
        assert_eq!(*uri(0), json!({ "uri": "file:///etc/x%3Ay.kpol" }));
        assert_eq!(*uri(1), json!({ "uri": "kpol-library:profiles/base" }));
        assert_eq!(error["relatedLocations"][0]["message"]["text"], "through this include");
        assert_eq!(
            error["fixes"],
            json!([{
                "description": { "text": "replace `famly` by `family`" },
                "artifactChanges": [{
                    "artifactLocation": { "uri": "web%20%C3%BC.kpol", "uriBaseId": "%SRCROOT%" },
                    "replacements": [{ "deletedRegion": famly, "insertedContent": { "text": "family" } }],
                }],
            }])
        );
    }

    /// What the schema asks of every object that is made here, whatever the findings.
    #[test]
    fn the_log_has_the_structure_that_the_schema_asks_for() {
        let case = Case::new(&[("a.kpol", "x")]);
        let findings: Vec<_> = Code::ALL
            .iter()
            .map(|&code| {
                let diagnostic = case.at(0, "x", code, "m").related(case.find(0, "x"), "").note("n");
                diagnostic.fix("f", case.find(0, "x"), "")
            })
            .chain([Diagnostic::without_place(Code::E070, "m")])
            .collect();
        let log = log(&findings, &case.sources);
        assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), Code::ALL.len());
        for rule in rules {
            for text in ["shortDescription", "fullDescription", "help"] {
                assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
            }
        }
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), findings.len());
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            for location in result["locations"].as_array().unwrap() {
                let region = &location["physicalLocation"]["region"];
                for field in ["startLine", "startColumn", "endLine", "endColumn"] {
                    assert!(region[field].as_u64().unwrap() >= 1, "{region}");
                }
            }
        }
    }

    #[test]
    fn no_findings_is_a_valid_log_too() {
        let case = Case::new(&[]);
        let log = log(&[], &case.sources);
        assert_eq!(log["runs"][0]["results"], json!([]));
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"], json!([]));
    }
}
