//! What a person meets in the first hour beside the language: names of files, streams, counts, options, words.
//!
//! ```text
//! $ kpolc check web        cannot read `web`: no such file or directory; did you mean `web.kpol`?
//! ```

use super::*;

const START: &str = "default deny\nallow { @default, @basic-io }\n";

/// What a command says, on both streams.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let answer = kpolc(folder, arguments);
    answer.out + &answer.err
}

#[test]
fn folders_that_lead_to_the_product_are_made() {
    let dir = folder(&[("web.kpol", START)]);
    let answer = kpolc(dir.path(), &["build", "web.kpol", "-o", "a/b/web.json"]);
    assert_eq!(answer.status, 0, "{}", answer.err);
    assert!(dir.path().join("a/b/web.json").is_file());
}

#[test]
fn every_command_says_the_same_of_a_file_that_is_not_there() {
    let dir = folder(&[("web.kpol", START)]);
    for command in [
        &["check", "web"][..],
        &["build", "web"],
        &["fmt", "web"],
        &["show", "web"],
        &["stats", "web"],
        &["why", "web", "read"],
        &["diff", "web", "web.kpol"],
        &["run", "web", "--", "true"],
    ] {
        let answer = kpolc(dir.path(), command);
        assert_eq!(answer.status, 2, "{command:?}");
        let words = "error[E010]: cannot read `web`: no such file or directory\n";
        assert!(answer.err.contains(words), "{command:?}: {}", answer.err);
        let formatter = command[0] == "fmt";
        assert!(formatter || answer.err.contains("did you mean `web.kpol`?"), "{command:?}: {}", answer.err);
    }
    // All that cannot be read is reported in one run.
    let both = kpolc(dir.path(), &["check", "one.kpol", "two.kpol"]);
    assert!(both.err.contains("`one.kpol`") && both.err.contains("`two.kpol`"), "{}", both.err);
}

#[test]
fn a_file_that_does_nothing_is_warned_of() {
    let dir = folder(&[
        ("p/web.kpol", "include \"../lib/used.kpol\"\ndefault deny\nallow { @default }\n"),
        ("lib/used.kpol", "allow { read }\n"),
        ("lib/unused.kpol", "allow { write }\n"),
        ("lib/kept.kpol", "// kpol: allow(W030) included elsewhere\nallow { write }\n"),
        ("empty.kpol", ""),
        ("kpol.toml", ""),
    ]);
    let answer = kpolc(dir.path(), &["check", "--format", "concise", "."]);
    let lines: Vec<&str> = answer.out.lines().collect();
    assert_eq!(
        lines,
        [
            "empty.kpol:1:1: warning[W030]: this file says nothing",
            "lib/unused.kpol:1:1: warning[W030]: nothing includes this file, and without a `default` it cannot be built",
        ]
    );
    // Asked for alone, as a hook does, the rest of the project still counts.
    assert_eq!(kpolc(dir.path(), &["check", "--format", "concise", "lib/used.kpol"]).out, "");
    assert!(kpolc(dir.path(), &["check", "--format", "concise", "lib/unused.kpol"]).out.contains("W030"));
}

#[test]
fn a_text_that_is_no_policy_is_one_error() {
    let dir = folder(&[
        ("web.kpol", "include \"LICENSE\"\ninclude \"x.json\"\ndefault deny\nallow { @default }\n"),
        (
            "LICENSE",
            "MIT License\n\nPermission is hereby granted\nThe software (as is) is provided\nWithout warranty\nOf any kind\n",
        ),
        ("x.json", "{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\",\n  \"syscalls\": [\n    {}\n  ]\n}\n"),
    ]);
    let answer = kpolc(dir.path(), &["check", "--format", "concise", "web.kpol"]);
    let codes: Vec<&str> = answer.out.lines().filter_map(|line| line.split("error[").nth(1)?.get(..4)).collect();
    assert_eq!(codes, ["E009", "E009"], "{}", answer.out);
    assert!(answer.out.contains("x.json:1:1: error[E009]: this is JSON, not a policy"), "{}", answer.out);
}

#[test]
fn check_build_and_fmt_take_files_of_the_same_size() {
    let big = format!("{START}{}", "// a comment\n".repeat(90_000));
    let dir = folder(&[("big.kpol", &big)]);
    assert!(big.len() > 1 << 20);
    for command in [&["check", "big.kpol"][..], &["fmt", "--check", "big.kpol"], &["build", "big.kpol"]] {
        assert_eq!(kpolc(dir.path(), command).status, 0, "{command:?}");
    }
    let huge = "/".repeat((16 << 20) + 1);
    fs::write(dir.path().join("huge.kpol"), huge).unwrap();
    let words = "error[E011]: `huge.kpol` is too large: a file of 16777217 bytes, and 16777216 are allowed";
    for command in [&["check", "huge.kpol"][..], &["fmt", "huge.kpol"], &["build", "huge.kpol"]] {
        assert!(said(dir.path(), command).contains(words), "{command:?}");
    }
}

#[test]
fn fmt_shows_where_a_text_is_broken() {
    let dir = folder(&[("web.kpol", "default deny\nallow { read, , write }\n")]);
    let answer = kpolc(dir.path(), &["fmt", "web.kpol"]);
    assert_eq!(answer.status, 1);
    assert!(answer.err.contains("╭─[web.kpol:2:15]"), "{}", answer.err);
    let check = kpolc(dir.path(), &["fmt", "--check", "--format", "concise", "web.kpol"]);
    assert_eq!(check.out, "web.kpol:2:15: error[E001]: expected a syscall or a group, found `,`\n");
}

#[test]
fn checks_of_files_annotate_and_say_how_to_fix() {
    let dir = folder(&[("web.kpol", "default deny\nallow {read}\n"), ("web.json", "{}\n")]);
    let human = kpolc(dir.path(), &["build", "--check", "--allow", "all", "web.kpol"]);
    assert_eq!(human.status, 1);
    assert!(human.out.starts_with("--- a/web.json\n+++ b/web.json\n"), "{}", human.out);
    assert!(human.err.contains("error[E071]: `web.json` is not what `web.kpol` builds"), "{}", human.err);
    assert!(human.err.contains("help: the same command without `--check` writes it"), "{}", human.err);
    let github = kpolc(dir.path(), &["build", "--check", "--allow", "all", "--format", "github", "web.kpol"]);
    assert!(github.out.starts_with("::error file=web.kpol,line=1,"), "{}", github.out);
    assert_eq!(github.out.lines().count(), 1, "{}", github.out);

    let style = kpolc(dir.path(), &["fmt", "--check", "--format", "github", "web.kpol"]);
    assert_eq!(style.status, 1);
    assert!(style.out.starts_with("::error file=web.kpol,line=2,"), "{}", style.out);
    let style = kpolc(dir.path(), &["fmt", "--check", "web.kpol"]);
    assert_eq!((style.status, style.out.as_str()), (1, "web.kpol\n"));
    assert!(style.err.contains("`kpolc fmt` rewrites"), "{}", style.err);
}

#[test]
fn findings_are_on_the_same_stream_whatever_is_asked() {
    let dir = folder(&[("web.kpol", "default deny\nallow { opnat }\n")]);
    for command in ["check", "build"] {
        for form in ["json", "sarif", "github", "gitlab", "concise", "markdown"] {
            let answer = kpolc(dir.path(), &[command, "--format", form, "web.kpol"]);
            assert!(answer.out.contains("E030"), "{command} {form}: {}", answer.out);
            assert_eq!(answer.err, "", "{command} {form}");
        }
        let answer = kpolc(dir.path(), &[command, "web.kpol"]);
        assert!(answer.out.is_empty() && answer.err.contains("E030"), "{command}");
    }
}

#[test]
fn counts_speak_of_the_files_that_were_named() {
    let dir = folder(&[
        ("lib/x.kpol", "allow { opnat }\n"),
        ("a.kpol", "include \"lib/x.kpol\"\ndefault deny\nallow { @default }\n"),
        ("b.kpol", "include \"lib/x.kpol\"\ndefault deny\nallow { @default }\n"),
        ("c.kpol", START),
    ]);
    let one = kpolc(dir.path(), &["check", "a.kpol"]);
    assert!(one.err.contains("\nchecked 1 file: 1 error\n"), "{}", one.err);
    let three = kpolc(dir.path(), &["check", "a.kpol", "b.kpol", "c.kpol"]);
    assert!(three.err.contains("\nchecked 3 files: 1 error in 2 of 3 files\n"), "{}", three.err);
    let built = kpolc(dir.path(), &["build", "a.kpol", "b.kpol", "c.kpol"]);
    assert!(built.err.ends_with("nothing written: 1 error in 2 of 3 files\n"), "{}", built.err);
}

#[test]
fn two_profiles_that_disagree_with_one_line_of_a_library_are_two_findings() {
    let dir = folder(&[
        ("lib/x.kpol", "allow { socket }\n"),
        ("a.kpol", "include \"lib/x.kpol\"\ndefault deny\nallow { @default }\nkill { socket(family == AF_ALG) }\n"),
        ("b.kpol", "include \"lib/x.kpol\"\ndefault deny\nallow { @default }\nkill { socket(family == AF_VSOCK) }\n"),
    ]);
    let answer = kpolc(dir.path(), &["check", "--format", "concise", "."]);
    let conflicts: Vec<&str> = answer.out.lines().filter(|line| line.contains("E040")).collect();
    assert_eq!(conflicts.len(), 2, "{}", answer.out);
    // Each names both places.
    assert!(conflicts.iter().all(|line| line.contains("lib/x.kpol:1:9")), "{}", answer.out);
    assert!(conflicts[0].contains("a.kpol:4:8") && conflicts[1].contains("b.kpol:4:8"), "{}", answer.out);
}

#[test]
fn format_is_an_option_of_commands_that_have_findings() {
    let dir = folder(&[]);
    for command in ["new", "completions", "man", "lsp"] {
        assert!(!said(dir.path(), &[command, "--help"]).contains("--format"), "{command}");
    }
    let refused = kpolc(dir.path(), &["new", "web", "--format", "json"]);
    assert_eq!(refused.status, 2);
    assert!(!dir.path().join("web.kpol").exists());
}

#[test]
fn what_is_not_there_or_not_known_is_refused() {
    let dir =
        folder(&[("web.kpol", START), ("p/kpol.toml", "[target]\nlibseccomp = \"9.9.9\"\n"), ("p/x.kpol", START)]);
    let release = kpolc(dir.path(), &["check", "--libseccomp", "9.9.9", "web.kpol"]);
    assert_eq!(release.status, 2);
    assert!(release.err.contains("libseccomp 9.9.9 is not known, 2.0.0 to "), "{}", release.err);
    let project = kpolc(dir.path(), &["check", "p/x.kpol"]);
    assert!(project.err.contains("libseccomp 9.9.9 is not known"), "{}", project.err);
    for command in ["check", "build", "fmt"] {
        let missing = kpolc(dir.path(), &[command, "-I", "nowhere", "web.kpol"]);
        assert_eq!(missing.status, 2, "{command}");
        assert!(missing.err.contains("'nowhere'") && missing.err.contains("no such file"), "{}", missing.err);
    }
}

#[test]
fn programs_get_the_path_from_the_root_of_the_checkout() {
    let dir = folder(&[("p/web.kpol", "default deny\nallow { opnat }\n"), ("q/none", "")]);
    for (form, path) in [("github", "file=p/web.kpol,"), ("gitlab", "\"p/web.kpol\""), ("sarif", "\"p/web.kpol\"")] {
        let answer = kpolc(dir.path(), &["check", "--format", form, "./q/../p/web.kpol"]);
        assert!(answer.out.contains(path), "{form}: {}", answer.out);
    }
    // In a folder below, the variables of the forges say where the checkout begins.
    for (variable, form) in [("GITHUB_WORKSPACE", "github"), ("CI_PROJECT_DIR", "gitlab")] {
        let mut check = command(&dir.path().join("q"), &["check", "--format", form, "../p/web.kpol"]);
        let output = check.env(variable, dir.path()).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains("p/web.kpol") && !out.contains("../"), "{variable}: {out}");
    }
}

#[test]
fn sarif_explains_in_plain_text_and_in_markdown() {
    let dir = folder(&[("web.kpol", "default deny\nallow { opnat }\n")]);
    let answer = kpolc(dir.path(), &["check", "--format", "sarif", "web.kpol"]);
    let log: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    let help = &log["runs"][0]["tool"]["driver"]["rules"][0]["help"];
    assert!(help["markdown"].as_str().unwrap().contains("```"), "{help}");
    let text = help["text"].as_str().unwrap();
    assert!(text.contains("E030: unknown syscall") && !text.contains("```"), "{text}");
}

#[test]
fn a_policy_comes_by_standard_input() {
    let dir = folder(&[("lib.kpol", "allow { opnat }\n")]);
    let mut child = command(dir.path(), &["check", "--format", "concise", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "include \"lib.kpol\"\ndefault deny\nallow { @default, raed }\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(out.contains("<stdin>:3:19: error[E030]") && out.contains("lib.kpol:1:9: error[E030]"), "{out}");
}

#[test]
fn a_call_of_other_abis_is_named_as_here() {
    let dir = folder(&[("web.kpol", "default deny\nallow { @default, umount, stat64, sigaction, vm86 }\n")]);
    let answer = kpolc(dir.path(), &["check", "web.kpol"]);
    for name in ["umount2", "newfstatat", "rt_sigaction"] {
        assert!(answer.err.contains(&format!("help: here the call is `{name}`")), "{name}: {}", answer.err);
    }
    assert!(answer.err.contains("help: remove it, or add the architecture"), "{}", answer.err);
}

#[test]
fn values_are_shown_as_they_were_written() {
    let policy = "default deny\n\
                  allow { @default, fcntl(cmd == 0x7fff_ffff_ffff), dup(fildes & 0x1_0000_0000 == 0), close(fd in {0x20..0x10}) }\n\
                  trap(0x1_0000) { ptrace }\ndeny(0x1000) { mount }\n\
                  syscall one = 0x4000_0000 on x86_64\nsyscall two = 0x0 on x86_64\n";
    let dir = folder(&[("web.kpol", policy)]);
    let answer = kpolc(dir.path(), &["check", "web.kpol", "--format", "concise"]);
    for message in [
        "[E033]: 0x7fff_ffff_ffff does not fit in `cmd`",
        "[E033]: the mask 0x1_0000_0000 is wider than `fildes`",
        "[E039]: the range 0x20..0x10 is empty",
        "[E038]: `trap` cannot carry 0x1_0000",
        "[E038]: 0x1000 is no errno",
        "[E047]: 0x4000_0000 is no syscall number",
        "[E047]: 0x0 is `read` on x86_64",
    ] {
        assert!(answer.out.contains(message), "{message}: {}", answer.out);
    }
}

#[test]
fn a_fix_shows_the_lines_that_change() {
    let dir = folder(&[("web.kpol", "default deny\nallow [\n    read,\n    write\n]\n")]);
    let answer = kpolc(dir.path(), &["check", "web.kpol"]);
    let drawn: Vec<&str> = answer.err.lines().filter(|line| line.starts_with("        ")).map(str::trim).collect();
    assert_eq!(drawn, ["- allow [", "- ]", "+ allow {", "+ }"], "{}", answer.err);
}

#[test]
fn help_fits_the_terminal_line_by_line() {
    let dir = folder(&[]);
    for command in [
        "check",
        "build",
        "why",
        "diff",
        "show",
        "stats",
        "fmt",
        "run",
        "new",
        "import",
        "groups",
        "explain",
        "lsp",
        "completions",
        "man",
    ] {
        let text = kpolc(dir.path(), &[command, "--help"]).out;
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(!text.is_empty() && long.is_empty(), "{command}: {long:#?}");
    }
}

const SLIPS: &str =
    "# why\ndefault = deny\nallow [ @default, write ]\nallow { socket(family == {AF_INET, AF_UNIX}), raed }\n";
const FIXED: &str =
    "// why\ndefault deny\nallow { @default, write }\nallow { socket(family in {AF_INET, AF_UNIX}), raed }\n";

#[test]
fn safe_fixes_are_made_and_guesses_only_where_they_are_asked_for() {
    let dir = folder(&[("web.kpol", SLIPS)]);
    let path = dir.path().join("web.kpol");
    let check = kpolc(dir.path(), &["check", "web.kpol"]);
    assert!(check.err.ends_with("`--fix` can fix 4, with `--unsafe-fixes` 1 more\n"), "{}", check.err);

    let diff = kpolc(dir.path(), &["check", "--diff", "web.kpol"]);
    assert_eq!(diff.status, 1);
    assert!(
        diff.out.starts_with("--- a/web.kpol\n+++ b/web.kpol\n") && diff.out.contains("+default deny"),
        "{}",
        diff.out
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), SLIPS, "a diff writes nothing");

    let safe = kpolc(dir.path(), &["check", "--fix", "web.kpol"]);
    assert_eq!(safe.status, 1, "the guess is left");
    assert!(safe.err.contains("fixed 4 findings in 1 file\nchecked 1 file: 1 error\n"), "{}", safe.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), FIXED);

    let all = kpolc(dir.path(), &["check", "--fix", "--unsafe-fixes", "web.kpol"]);
    assert_eq!(all.status, 0, "{}", all.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), FIXED.replace("raed", "read"));
    assert_eq!(kpolc(dir.path(), &["check", "--unsafe-fixes", "web.kpol"]).status, 2);
}

#[test]
fn fixes_stay_in_the_files_that_were_named() {
    let lib = "allow [ write ]\n";
    let dir = folder(&[("lib.kpol", lib), ("web.kpol", "include \"lib.kpol\"\ndefault = deny\nallow { @default }\n")]);
    assert_eq!(kpolc(dir.path(), &["check", "--fix", "web.kpol"]).status, 1);
    assert_eq!(fs::read_to_string(dir.path().join("lib.kpol")).unwrap(), lib);
    assert_eq!(kpolc(dir.path(), &["check", "--fix", "."]).status, 0);
    assert_eq!(fs::read_to_string(dir.path().join("lib.kpol")).unwrap(), "allow { write }\n");
}

#[test]
fn no_fix_leads_to_another_call_or_value_than_a_slip_of_the_keys() {
    let dir = folder(&[(
        "web.kpol",
        "default deny\ninclude <base/runtime>\nallow { clone(clone_flags & CLONE_NAMESPACES == 0), fopen, ioctl(cmd == TCGET) }\n",
    )]);
    let answer = kpolc(dir.path(), &["check", "web.kpol"]);
    // The library that defines the name comes before whatever is spelt alike (`NR_NAMESPACES` is 128).
    assert!(answer.err.contains("fix: add `include <base/processes>`"), "{}", answer.err);
    assert!(answer.err.contains("a function of the C library, which calls `openat`"), "{}", answer.err);
    assert!(answer.err.contains("did you mean `TCGETA`, `TCGETS` or `TCGETX`?"), "{}", answer.err);
    assert!(!answer.err.contains("fix: replace it"), "{}", answer.err);
    // With all fixes made, the condition holds: no namespaces.
    let path = dir.path().join("web.kpol");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace(", fopen, ioctl(cmd == TCGET)", "")).unwrap();
    assert_eq!(kpolc(dir.path(), &["check", "--fix", "--unsafe-fixes", "web.kpol"]).status, 0);
    let why = kpolc(dir.path(), &["why", "web.kpol", "clone(CLONE_NEWUSER)"]);
    assert!(why.out.contains("deny(EPERM)"), "{}", why.out);
}
