//! What we write for others is what they read: SARIF by its schema, annotations as GitHub's runner takes them apart, and the
//! files of `integrations/` by the schemas of those who run them, and run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kpol_compiler::diagnostic::Code;
use kpol_compiler::diagnostic::explain::examples;
use kpol_tests::binaries::binary;
use kpol_tests::skip::{Skip, cache_dir, or_skip};
use kpol_tests::tools::{python, workspace};
use serde_json::Value;

fn kpolc(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary("kpolc")).args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A folder with the example of every code that has one, each in a folder of its own.
fn every_mistake() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &code in Code::ALL {
        for (index, example) in examples(code).unwrap().iter().enumerate() {
            // What is wrong with a project file ends all else.
            if example.files.iter().any(|(name, _)| name == "kpol.toml") {
                continue;
            }
            for (name, text) in &example.files {
                let path = folder.path().join(format!("{}, {index}: 100%", code.as_str())).join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
    }
    folder
}

#[test]
fn sarif_is_what_its_schema_asks_for() {
    let Some(checker) = or_skip(python("check-jsonschema")) else { return };
    let schema = cache_dir().join("sarif-2.1.0.json");
    let found = if schema.is_file() { Ok(()) } else { Err(Skip("no schema of SARIF (tests/setup.sh has it)".into())) };
    let Some(()) = or_skip(found) else { return };
    let folder = every_mistake();
    let log = text(kpolc(folder.path(), &["check", "--format", "sarif", "."]).stdout);
    let rules = serde_json::from_str::<Value>(&log).unwrap();
    assert!(rules["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().len() > 40, "few codes to try it with");
    let path = folder.path().join("kpol.sarif");
    let valid = |log: &str| {
        fs::write(&path, log).unwrap();
        // The schema has an expression that is none in ECMAScript.
        let mut command = Command::new(&checker);
        command.args(["--regex-variant", "python", "--schemafile"]).args([&schema, &path]);
        let output = command.output().unwrap();
        (output.status.success(), text(output.stdout) + &text(output.stderr))
    };
    let (fine, said) = valid(&log);
    assert!(fine, "{said}");
    let (fine, said) = valid(&log.replace("\"ruleId\"", "\"rule\""));
    assert!(!fine, "the schema refuses nothing: {said}");
}

/// A command as the runner reads it (`ActionCommand.cs`): the name, its properties, the text.
fn command(line: &str) -> (String, Vec<(String, String)>, String) {
    let (head, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let plain = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let properties = properties.split(',').map(|property| {
        let (key, value) = property.split_once('=').unwrap();
        (key.to_owned(), plain(&value.replace("%3A", ":").replace("%2C", ",")))
    });
    (name.to_owned(), properties.collect(), plain(data))
}

#[test]
fn annotations_come_apart_into_what_was_found() {
    let folder = every_mistake();
    let lines = text(kpolc(folder.path(), &["check", "--format", "github", "."]).stdout);
    let found = text(kpolc(folder.path(), &["check", "--format", "json", "."]).stdout);
    let found: Value = serde_json::from_str(&found).unwrap();
    let found = found["diagnostics"].as_array().unwrap();
    assert_eq!(lines.lines().count(), found.len());
    assert!(found.len() > 50, "only {} findings to try it with", found.len());
    for (line, found) in lines.lines().zip(found) {
        let (name, properties, data) = command(line);
        let property = |key: &str| Some(properties.iter().find(|(name, _)| name == key)?.1.clone());
        assert_eq!(name, found["severity"].as_str().unwrap());
        assert!(property("title").unwrap().starts_with(found["code"].as_str().unwrap()), "{line}");
        assert!(data.contains(found["message"].as_str().unwrap().lines().next().unwrap()), "{line}\n{found}");
        let place = &found["place"];
        let Some(file) = place["file"].as_str().filter(|file| !file.starts_with('<')) else { continue };
        assert_eq!(property("file").unwrap(), file.trim_start_matches("./"), "{line}");
        assert_eq!(property("line").unwrap(), place["start"]["line"].to_string(), "{line}");
    }
}

/// A YAML file as JSON.
fn yaml(path: &Path) -> Result<Value, Skip> {
    let output = Command::new(python("python")?)
        .args(["-c", "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1])), default=str))"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), text(output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn ready_files_are_what_their_readers_take() {
    let (Some(checker), Some(hooks)) = (or_skip(python("check-jsonschema")), or_skip(python("pre-commit"))) else {
        return;
    };
    let folder = workspace().join("integrations");
    for (schema, file) in [("vendor.github-workflows", "github.yml"), ("vendor.gitlab-ci", "gitlab.yml")] {
        let output = Command::new(&checker).args(["--builtin-schema", schema]).arg(folder.join(file)).output().unwrap();
        assert!(output.status.success(), "{file}: {}", text(output.stdout));
    }
    let manifest = workspace().join(".pre-commit-hooks.yaml");
    let output = Command::new(&hooks).arg("validate-manifest").arg(&manifest).output().unwrap();
    assert!(output.status.success(), "{}", text(output.stdout));
    let Some(manifest) = or_skip(yaml(&manifest)) else { return };
    let ids: BTreeSet<&str> = manifest.as_array().unwrap().iter().map(|hook| hook["id"].as_str().unwrap()).collect();
    for id in ["kpol-check", "kpol-fmt", "kpol-build-check"] {
        assert!(ids.contains(id) && ids.contains(format!("{id}-system").as_str()), "{ids:?}");
    }
}

/// The commands of a pipeline that are `kpolc`'s, in order.
fn steps(pipeline: &Value) -> Vec<String> {
    let github = pipeline["jobs"]["policies"]["steps"].as_array().into_iter().flatten().map(|step| &step["run"]);
    let gitlab = pipeline["kpol"]["script"].as_array().into_iter().flatten();
    let all = github.chain(gitlab).filter_map(|command| command.as_str().map(str::to_owned));
    all.filter(|command| command.starts_with("kpolc ")).collect()
}

/// The steps that fail, by number.
fn failures(folder: &Path, steps: &[String]) -> Vec<usize> {
    let search = format!("{}:/usr/bin:/bin", binary("kpolc").parent().unwrap().display());
    let fails = |step: &String| {
        !Command::new("bash")
            .args(["-ec", step])
            .current_dir(folder)
            .env("PATH", &search)
            .output()
            .unwrap()
            .status
            .success()
    };
    (0..steps.len()).filter(|&at| fails(&steps[at])).collect()
}

#[test]
fn pipelines_pass_what_is_in_order_and_stop_what_is_not() {
    let folder = workspace().join("integrations");
    let (Some(github), Some(gitlab)) =
        (or_skip(yaml(&folder.join("github.yml"))), or_skip(yaml(&folder.join("gitlab.yml"))))
    else {
        return;
    };
    for (name, pipeline, report, wrong) in
        [("github", github, "kpol.sarif", vec![0, 2]), ("gitlab", gitlab, "gl-code-quality-report.json", vec![1, 3])]
    {
        let steps = steps(&pipeline);
        assert_eq!(steps.len(), 4, "{name}: {steps:?}");
        let user = tempfile::tempdir().unwrap();
        let policy = user.path().join("my web.kpol");
        fs::write(&policy, "default deny(EPERM)\n\ninclude <base/runtime>\n").unwrap();
        assert!(kpolc(user.path(), &["build", "."]).status.success());
        assert_eq!(failures(user.path(), &steps), [0_usize; 0], "{name}");
        let fine = fs::read_to_string(user.path().join(report)).unwrap();
        fs::write(&policy, "default deny(EPERM)\n\nallow { raed }\n").unwrap();
        assert_eq!(failures(user.path(), &steps), wrong, "{name}: a report is made even so");
        let said = fs::read_to_string(user.path().join(report)).unwrap();
        assert!(said.contains("E030") && !fine.contains("E030"), "{name}: {said}");
    }
}

/// The version stands in `Cargo.toml`; whoever changes it is led to all other places by this.
#[test]
fn a_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let places = [
        ("CHANGELOG.md", format!("{version}\n")),
        ("docs/hooks.md", format!("rev: v{version}\n")),
        ("integrations/github.yml", format!("KPOL_REVISION: v{version}\n")),
        ("integrations/gitlab.yml", format!("KPOL_REVISION: v{version}\n")),
    ];
    for (name, words) in places {
        let text = fs::read_to_string(workspace().join(name)).unwrap();
        assert!(text.contains(&words), "{name} speaks of another version than {version}");
    }
}
