//! What a reader of the files sees, whatever fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

fn output(path: &Path, text: &str) -> Output {
    Output { path: path.to_owned(), bytes: text.into() }
}

/// Names and contents of a folder, hidden files too: litter shows here.
fn listing(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = if entry.path().is_file() { fs::read_to_string(entry.path()).unwrap() } else { String::new() };
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    all.sort();
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn writes_new_files_and_replaces_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.json"), dir.path().join("b.json"));
    fs::write(&a, "old").unwrap();
    commit(&[output(&a, "new a"), output(&b, "new b")], Mode::Plain).unwrap();
    assert_eq!(
        listing(dir.path()),
        [("a.json".to_owned(), "new a".to_owned()), ("b.json".to_owned(), "new b".to_owned())]
    );
}

#[test]
fn permissions_are_kept_or_exact() {
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a.json");
    fs::write(&a, "old").unwrap();
    fs::set_permissions(&a, Permissions::from_mode(0o640)).unwrap();
    commit(&[output(&a, "new")], Mode::Plain).unwrap();
    assert_eq!(mode(&a), 0o640);
    commit(&[output(&a, "new")], Mode::Exact(0o644)).unwrap();
    assert_eq!(mode(&a), 0o640, "never more than before");
    fs::set_permissions(&a, Permissions::from_mode(0o6775)).unwrap();
    commit(&[output(&a, "new")], Mode::Exact(0o644)).unwrap();
    assert_eq!(mode(&a), 0o644);
}

#[test]
fn one_refusal_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a.json");
    fs::write(&a, "old").unwrap();
    fs::create_dir(dir.path().join("taken")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let before = listing(&fs::canonicalize(dir.path()).unwrap()).len();
    for (bad, word) in [
        (dir.path().join("taken"), "it is a directory"),
        (dir.path().join("missing/b.json"), "No such file or directory"),
        (dir.path().join("dangling"), "a symbolic link to nothing"),
        (dir.path().join("a.json/b"), "Not a directory"),
        (PathBuf::from("/dev/null"), "it is a character device"),
        (dir.path().join(".."), "not the name of a file"),
        (dir.path().join("taken/../a.json"), "two outputs have this name"),
        (dir.path().join("x".repeat(300)), "File name too long"),
    ] {
        let error = commit(&[output(&a, "new"), output(&bad, "new")], Mode::Plain).unwrap_err();
        assert!(error.to_string().contains(word), "{error} should say {word}");
        assert!(error.changed.is_empty());
        assert_eq!(fs::read(&a).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before, "litter: {:?}", bad);
    }
}

#[test]
fn a_link_stays_and_its_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    let (real, link) = (dir.path().join("real/web.json"), dir.path().join("web.json"));
    fs::write(&real, "old").unwrap();
    symlink("real/web.json", &link).unwrap();
    commit(&[output(&link, "new")], Mode::Plain).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path().join("real")).unwrap().count(), 1);
}

#[test]
fn a_failure_between_two_names_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"].map(|name| dir.path().join(name));
    fs::write(&names[0], "old a").unwrap();
    fs::write(&names[2], "old c").unwrap();
    let folder = at::folder(None, dir.path().as_os_str()).unwrap();
    let exchange = || at::exchange(folder.as_fd(), "a".as_ref(), "c".as_ref());
    if exchange().and_then(|()| exchange()).is_err() {
        eprintln!("SKIPPED: this file system cannot exchange names");
        return;
    }
    let before = listing(dir.path());
    let outputs = names.each_ref().map(|name| output(name, "new"));
    let mut placed = 0;
    let error = commit_by(&outputs, Mode::Plain, &mut |folder, from, to, keep| {
        placed += 1;
        if placed == 3 { Err(io::Error::from_raw_os_error(libc::EIO)) } else { place(folder, from, to, keep) }
    })
    .unwrap_err();
    assert_eq!((error.path, error.changed), (names[2].clone(), vec![]));
    assert_eq!(listing(dir.path()), before);
}

#[test]
fn without_exchange_the_error_says_what_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"].map(|name| dir.path().join(name));
    fs::write(&names[0], "old a").unwrap();
    let outputs = names.each_ref().map(|name| output(name, "new"));
    let mut placed = 0;
    let error = commit_by(&outputs, Mode::Plain, &mut |folder, from, to, _| {
        placed += 1;
        if placed == 3 { Err(io::Error::from_raw_os_error(libc::EIO)) } else { place(folder, from, to, false) }
    })
    .unwrap_err();
    assert_eq!(error.changed, [names[0].clone()]);
    assert_eq!(listing(dir.path()), [("a".to_owned(), "new".to_owned())]);
}

/// Runs the test `name` of this binary once more by a shell command, and says whether it could be tried at all.
/// `$0` is this binary.
fn again(shell: &str, name: &str) -> bool {
    let Ok(output) = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg(format!("{shell} && exec \"$0\" --exact write::tests::{name} --nocapture --include-ignored"))
        .arg(std::env::current_exe().unwrap())
        .env("KPOL_TEST_INNER", "1")
        .output()
    else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !text.contains("running 1 test") {
        eprintln!("SKIPPED: cannot mount here: {}", text.trim());
        return false;
    }
    assert!(output.status.success(), "{text}");
    true
}

fn is_inner() -> bool {
    std::env::var_os("KPOL_TEST_INNER").is_some()
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    if !is_inner() {
        again("mount -t tmpfs -o size=64k tmpfs /mnt", "a_full_disk_leaves_what_was_there");
        return;
    }
    let folder = Path::new("/mnt");
    let a = folder.join("a.json");
    fs::write(&a, "old").unwrap();
    let large = Output { path: folder.join("b.json"), bytes: vec![b'x'; 1 << 20] };
    let error = commit(&[output(&a, "new"), large], Mode::Plain).unwrap_err();
    assert_eq!(error.why.raw_os_error(), Some(libc::ENOSPC), "{error}");
    assert_eq!(listing(folder), [("a.json".to_owned(), "old".to_owned())]);
}

#[test]
fn a_read_only_folder_leaves_what_was_there() {
    if !is_inner() {
        again(
            "mount -t tmpfs tmpfs /mnt && mkdir /mnt/ro && printf old > /mnt/ro/b.json && printf old > /mnt/a.json \
             && mount --bind /mnt/ro /mnt/ro && mount -o remount,bind,ro /mnt/ro",
            "a_read_only_folder_leaves_what_was_there",
        );
        return;
    }
    let (a, b) = (Path::new("/mnt/a.json"), Path::new("/mnt/ro/b.json"));
    let error = commit(&[output(a, "new"), output(b, "new")], Mode::Plain).unwrap_err();
    assert_eq!(error.why.raw_os_error(), Some(libc::EROFS), "{error}");
    assert_eq!(error.path, b);
    assert_eq!((fs::read(a).unwrap(), fs::read(b).unwrap()), (b"old".to_vec(), b"old".to_vec()));
    assert_eq!(fs::read_dir("/mnt").unwrap().count() + fs::read_dir("/mnt/ro").unwrap().count(), 3);
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_no_death() {
    if !is_inner() {
        // bash counts in KiB, dash in half of that: either is less than what is written.
        again("ulimit -f 16", "a_limit_on_file_sizes_is_an_error_and_no_death");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a.json");
    fs::write(&a, "old").unwrap();
    let error = commit(&[Output { path: a.clone(), bytes: vec![b'x'; 1 << 20] }], Mode::Plain).unwrap_err();
    assert_eq!(error.why.raw_os_error(), Some(libc::EFBIG), "{error}");
    assert_eq!(listing(dir.path()), [("a.json".to_owned(), "old".to_owned())]);
}

#[test]
fn who_interrupts_before_the_first_name_changes_wins() {
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a.json");
    fs::write(&a, "old").unwrap();
    let outer = Signals::hold();
    // SAFETY: raise takes a number; the signal is blocked in this thread, which it is sent to.
    unsafe { libc::raise(libc::SIGHUP) };
    assert!(outer.ending());
    let error = commit(&[output(&a, "new")], Mode::Plain).unwrap_err();
    assert_eq!(error.why.kind(), io::ErrorKind::Interrupted);
    assert_eq!(listing(dir.path()), [("a.json".to_owned(), "old".to_owned())]);
    // Taken off the queue, so that this test does not end its own process.
    let mut signal = 0;
    // SAFETY: a sigset_t of zeroes is an empty set on Linux; all pointers are valid across the calls.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGHUP);
        libc::sigwait(&raw const set, &raw mut signal);
    }
    assert_eq!(signal, libc::SIGHUP);
}
