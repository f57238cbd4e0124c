//! What a project file may say, and what its mistakes look like.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use crate::source::Memory;

fn read(text: &str) -> (ProjectFile, Vec<String>) {
    let memory = Memory::from([("/p/kpol.toml", text)]);
    let mut sources = Sources::default();
    let (file, diagnostics) = load(&memory, Path::new("/p/kpol.toml"), &mut sources);
    let shown = diagnostics.iter().map(|diagnostic| {
        let place = diagnostic.primary.as_ref().map_or("", |label| &text[label.span.bytes.range()]);
        let fix = diagnostic.fix.as_ref().map_or(String::new(), |fix| format!(" → {}", fix.edits[0].text));
        format!("{} at `{place}`: {}{fix}", diagnostic.code.as_str(), diagnostic.message)
    });
    (file, shown.collect())
}

fn errors(text: &str) -> Vec<String> {
    read(text).1
}

#[test]
fn reads_everything() {
    let (file, errors) = read(
        "include = [\"policies\", \"/usr/share/kpol\"]\n\
         [target]\nlibseccomp = \"2.5.4\"\nkernel = \"6.1\"\ncapabilities = []\n\
         [waive]\nallowed = [\"no chroot\"]\n\
         [build]\nemit = [\"bpf\", \"json\", \"bpf\"]\n\
         [lints]\nall = \"deny\"\nW012 = \"allow\"\nduplicate = \"warn\"\n",
    );
    assert_eq!(errors, [""; 0]);
    assert_eq!(file.include_dirs, [Path::new("/p/policies"), Path::new("/usr/share/kpol")]);
    assert_eq!(file.libseccomp, Some((2, 5, 4)));
    assert_eq!(file.kernel, Some(KernelVersion { major: 6, minor: 1 }));
    assert_eq!(file.caps, Some(BTreeSet::new()));
    assert_eq!(file.waivable, Waivable::Titles(vec!["no chroot".to_owned()]));
    assert_eq!(file.emit, [Format::Json, Format::Bpf]);
    assert_eq!(file.lints.get(Code::W012), Level::Allow);
    assert_eq!(file.lints.get(Code::W013), Level::Warn);
    assert_eq!(file.lints.get(Code::W001), Level::Deny);
}

#[test]
fn an_empty_file_says_nothing() {
    assert_eq!(read(""), (ProjectFile::default(), vec![]));
    assert_eq!(read("[target]\n[waive]\n[lints]\n"), (ProjectFile::default(), vec![]));
}

#[test]
fn unknown_keys_are_errors_with_the_nearest() {
    assert_eq!(errors("includes = []"), ["E060 at `includes`: unknown key `includes` → include"]);
    assert_eq!(errors("[target]\nkernal = \"6.1\""), ["E060 at `kernal`: unknown key `kernal` in [target] → kernel"]);
    assert_eq!(
        errors("[lints]\ndead-rules = \"deny\""),
        ["E060 at `dead-rules`: unknown warning `dead-rules` → dead-rule"]
    );
    assert_eq!(errors("[lints]\nE031 = \"allow\""), ["E061 at `E031`: `E031` is an error, and has no level"]);
    assert_eq!(errors("emit = \"json\""), ["E060 at `emit`: unknown key `emit`"]);
    assert_eq!(errors("kernel = \"6.1\""), ["E060 at `kernel`: unknown key `kernel`"]);
    assert_eq!(errors("\"\" = 1"), ["E060 at `\"\"`: unknown key ``"]);
}

#[test]
fn bad_values_have_their_place() {
    assert_eq!(
        errors("include = \"policies\""),
        ["E061 at `\"policies\"`: `include` is an array of strings, not a string → [\"policies\"]"]
    );
    assert_eq!(errors("include = [1]"), ["E061 at `1`: an element of `include` is a string, not an integer"]);
    assert_eq!(
        errors("[target]\nkernel = 6.10"),
        ["E061 at `6.10`: `kernel` is a string, and `6.10` a number → \"6.10\""]
    );
    assert_eq!(errors("[target]\nkernel = \"six\""), ["E061 at `\"six\"`: `six` is no kernel version"]);
    assert_eq!(errors("[target]\nlibseccomp = \"2.5\""), ["E061 at `\"2.5\"`: `2.5` is no libseccomp version"]);
    assert_eq!(errors("[lints]\nW012 = \"off\""), ["E061 at `\"off\"`: `off` is no level → \"allow\""]);
    assert_eq!(
        errors("[lints]\nW012 = true"),
        ["E061 at `true`: a level is \"allow\", \"warn\" or \"deny\", not a boolean"]
    );
    assert_eq!(errors("[build]\nemit = [\"jsn\"]"), ["E061 at `\"jsn\"`: no product `jsn` → \"json\""]);
    assert_eq!(errors("[build]\nemit = \"h\""), ["E061 at `\"h\"`: no product `h` → \"c\""]);
    assert_eq!(errors("[build]\nemit = 1"), ["E061 at `1`: `emit` is a string or an array of strings, not an integer"]);
    assert_eq!(errors("target = 1"), ["E061 at `1`: `target` is a table, not an integer"]);
    let (file, errors) = read("[target]\ncapabilities = [\"CAP_NONSENSE\"]");
    assert_eq!(errors, ["E061 at `\"CAP_NONSENSE\"`: unknown capability `CAP_NONSENSE`"]);
    assert_eq!(file.caps, Some(BTreeSet::new()), "a mistake must not leave the conditions open");
}

#[test]
fn a_list_of_waivers_that_is_wrong_is_a_bound_still() {
    for text in ["allowed = [1]", "allowed = \"no chroot\"", "allowed = true"] {
        let (file, errors) = read(&format!("[waive]\n{text}"));
        assert_eq!(errors.len(), 1, "{text}");
        assert_eq!(file.waivable, Waivable::Titles(Vec::new()), "{text}");
    }
    assert_eq!(errors("[waive]\nalowed = []"), ["E060 at `alowed`: unknown key `alowed` in [waive] → allowed"]);
    assert_eq!(errors("waive = []"), ["E061 at `[]`: `waive` is a table, not an array"]);
}

#[test]
fn one_mistake_hides_no_other() {
    let (file, errors) = read("include = [\"a\", 1]\n[target]\nkernal = 1\nkernel = \"6.1\"\nthis is no toml\n");
    assert_eq!(file.include_dirs, [Path::new("/p/a")]);
    assert_eq!(file.kernel, Some(KernelVersion { major: 6, minor: 1 }));
    let starts: Vec<_> = errors.iter().map(|error| error.split_once(": ").unwrap().0).collect();
    assert_eq!(starts, ["E061 at `1`", "E060 at `kernal`", "E061 at ``"]);
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for text in ["\u{feff}", "[[[[", "a.b.c.d = {", "x = [[[[[[", "\"", "include = [\"\"]", "\0", "[lints]\n'' = ''"] {
        let _ = read(text);
    }
    assert!(!errors(&"a = [".repeat(10_000)).is_empty());
    assert!(!errors(&format!("a = {}", "[".repeat(100_000))).is_empty());
    let memory = Memory::from([("/p/kpol.toml", vec![0xff, 0xfe])]);
    let (_, diagnostics) = load(&memory, Path::new("/p/kpol.toml"), &mut Sources::default());
    assert_eq!(diagnostics[0].message, "cannot read `/p/kpol.toml`: it is not UTF-8 from byte 0 on");
}

#[test]
fn is_found_upward_from_the_policy() {
    let memory =
        Memory::from([("/p/kpol.toml", ""), ("/p/a/b/web.kpol", ""), ("/q/web.kpol", ""), ("/p/c/kpol.toml", "")]);
    assert_eq!(find(&memory, Path::new("/p/a/b/web.kpol")).unwrap(), Path::new("/p/kpol.toml"));
    assert_eq!(find(&memory, Path::new("/p/a/b")).unwrap(), Path::new("/p/kpol.toml"));
    assert_eq!(find(&memory, Path::new("/p/c/new.kpol")).unwrap(), Path::new("/p/c/kpol.toml"));
    assert_eq!(find(&memory, Path::new("/q/web.kpol")), None);
}

#[test]
fn the_command_line_comes_first() {
    let (file, _) = read("include = [\"a\"]\n[target]\nkernel = \"6.1\"\nlibseccomp = \"2.5.4\"");
    let mut options = Options {
        include_dirs: vec!["cli".into()],
        kernel: Some(KernelVersion { major: 5, minor: 4 }),
        ..Options::default()
    };
    file.complete(&mut options);
    assert_eq!(options.include_dirs, [Path::new("cli"), Path::new("/p/a")]);
    assert_eq!(options.kernel, Some(KernelVersion { major: 5, minor: 4 }));
    assert_eq!(options.libseccomp, Some((2, 5, 4)));
}

#[test]
fn levels_drop_and_deny() {
    let mut levels = Levels::default();
    levels.set(Code::W012, Level::Allow);
    levels.set(Code::W013, Level::Deny);
    let mut diagnostics: Vec<_> =
        [Code::W012, Code::W013, Code::W001, Code::E031].map(|code| Diagnostic::without_place(code, "x")).into();
    levels.apply(&mut diagnostics);
    let left: Vec<_> = diagnostics.iter().map(|diagnostic| (diagnostic.code, diagnostic.severity)).collect();
    assert_eq!(left, [(Code::W013, Severity::Error), (Code::W001, Severity::Warning), (Code::E031, Severity::Error)]);
}

#[test]
fn every_warning_has_a_name_of_its_own() {
    for &code in Code::ALL.iter().filter(|code| code.severity() == Severity::Warning) {
        assert_eq!(lint(&lint_name(code)), Some(code));
        assert_eq!(lint(code.as_str()), Some(code));
    }
}
