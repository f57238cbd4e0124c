//! Files that are written where others may write too: root builds into folders of users, users into folders of each other.
//!
//! ```text
//! mallory:  ln -s /etc/shadow /srv/out/web.json
//! root:     kpolc build web.kpol --install=/srv/out      an error, and /etc/shadow is as it was
//! ```

use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::path::PathBuf;

use super::*;

const MALLORY: u32 = 54_321;
const ALICE: u32 = 54_322;

/// A folder that everybody can reach, with a policy of its own and kpolc in it. `None` for who is not root.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Option<Self> {
        let dir = folder(&[("web.kpol", GOOD), ("victim", "old")]);
        if fs::metadata(dir.path()).unwrap().uid() != 0 {
            eprintln!("SKIPPED: only root can be two users");
            return None;
        }
        let place = Self(dir);
        place.mode(".", 0o755);
        place.mode("victim", 0o600);
        // By a process of its own: a child of another test must not hold it open for writing while it is executed.
        assert!(Command::new("cp").arg(KPOLC).arg(place.path("kpolc")).status().unwrap().success());
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn folder(&self, name: &str, mode: u32, owner: u32) {
        fs::create_dir_all(self.path(name)).unwrap();
        self.mode(name, mode);
        chown(self.path(name), Some(owner), Some(owner)).unwrap();
    }

    fn file(&self, name: &str, mode: u32, owner: u32, group: u32) {
        fs::write(self.path(name), "old").unwrap();
        chown(self.path(name), Some(owner), Some(group)).unwrap();
        self.mode(name, mode);
    }

    fn link(&self, name: &str, to: &str, owner: u32) {
        symlink(self.path(to), self.path(name)).unwrap();
        lchown(self.path(name), Some(owner), Some(owner)).unwrap();
    }

    /// `kpolc` as this user, with no group but that of its number.
    fn by(&self, user: u32, arguments: &[&str]) -> Answer {
        let ids = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
        let mut command = Command::new("setpriv");
        command.current_dir(self.0.path()).args(ids).arg(self.path("kpolc")).args(arguments);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { status: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Owner, group and bits, and whether it is as it was before.
    fn state(&self, name: &str) -> (u32, u32, u32, bool) {
        let found = fs::symlink_metadata(self.path(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777, fs::read(self.path(name)).unwrap() == b"old")
    }
}

#[test]
fn a_link_of_others_is_never_followed() {
    let Some(place) = Place::new() else { return };
    // A folder for all, like /tmp; a folder of somebody else; one that a group may write.
    place.folder("tmp", 0o1777, 0);
    place.folder("hers", 0o755, MALLORY);
    place.folder("shared", 0o775, 0);
    place.folder("secret", 0o700, 0);
    fs::write(place.path("secret/web.kpol"), "default  deny\nallow { @default }\n").unwrap();
    fs::write(place.path("web.json"), "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}").unwrap();
    for folder in ["tmp", "hers", "shared"] {
        for (link, to) in [("web.json", "victim"), ("dir", "secret"), ("web.kpol", "secret/web.kpol")] {
            place.link(&format!("{folder}/{link}"), to, MALLORY);
        }
        fs::copy(place.path("web.kpol"), place.path(&format!("{folder}/own.kpol"))).unwrap();
        place.link(&format!("{folder}/own.json"), "victim", MALLORY);
        for arguments in [
            "build web.kpol --install={}",
            "build web.kpol -o {}/web.json",
            "build web.kpol -o {}/",
            "build web.kpol -o {}/dir/web.json",
            "build web.kpol -o {}/dir/new/",
            "build {}/own.kpol",
            "import web.json --force -o {}/web.json",
            "show web.kpol --html -o {}/web.json",
            "fmt {}/web.kpol",
            "new {}/dir/start",
        ] {
            let arguments: Vec<String> = arguments.split(' ').map(|word| word.replace("{}", folder)).collect();
            let answer = place.by(0, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_ne!(answer.status, 0, "{arguments:?}: {}", answer.err);
            // As it is said in lines of eighty columns.
            let said = answer.err.replace("\n  │ ", " ");
            assert!(said.contains("is a symbolic link in a folder that others may write"), "{arguments:?}: {said}");
            assert_eq!(place.state("victim"), (0, 0, 0o600, true), "{arguments:?}");
            assert_eq!(names(&place.path("secret")), ["web.kpol"], "{arguments:?}");
            assert_eq!(names(&place.path(folder)).len(), 5, "{arguments:?} leaves something behind");
        }
    }
    let text = fs::read_to_string(place.path("secret/web.kpol")).unwrap();
    assert!(text.starts_with("default  deny"), "not even into style");
    // What users put into a folder for all they do not get followed either: root may not, and nor may they.
    place.folder("alice", 0o755, ALICE);
    place.link("tmp/mine.json", "alice/mine.json", ALICE);
    place.file("alice/mine.json", 0o644, ALICE, ALICE);
    assert_eq!(place.by(ALICE, &["build", "web.kpol", "-o", "tmp/mine.json"]).status, 2);
}

/// Debian gives each user a group, and a umask of 002 with it.
#[test]
fn who_shares_a_folder_with_a_group_learns_how_to_have_a_link_followed() {
    let Some(place) = Place::new() else { return };
    place.folder("alice", 0o775, ALICE);
    place.link("alice/web.json", "alice/real.json", ALICE);
    place.file("alice/real.json", 0o644, ALICE, ALICE);
    let answer = place.by(ALICE, &["build", "web.kpol", "-o", "alice/web.json"]);
    assert_eq!(answer.status, 2);
    let said = answer.err.replace("\n  │ ", " ");
    assert!(said.contains("name what it leads to") && said.contains("`chmod g-w alice`"), "{said}");
    place.folder("alice", 0o755, ALICE);
    assert_eq!(place.by(ALICE, &["build", "web.kpol", "-o", "alice/web.json"]).status, 0);
    assert!(!place.state("alice/real.json").3, "what the link leads to is written");
    // Where anybody may write, that is no way out.
    place.folder("alice", 0o777, ALICE);
    let answer = place.by(ALICE, &["build", "web.kpol", "-o", "alice/web.json"]);
    assert!(answer.status == 2 && !answer.err.contains("chmod"), "{}", answer.err);
}

#[test]
fn a_link_below_a_folder_whose_names_others_may_change_is_not_followed() {
    let Some(place) = Place::new() else { return };
    // Whoever may rename in `srv` decides which of root's folders is `srv/out`; in a sticky one that is nobody.
    for (srv, mode, status) in [("srv", 0o777, 2), ("sticky", 0o1777, 0)] {
        place.folder(srv, mode, 0);
        place.folder(&format!("{srv}/out"), 0o755, 0);
        place.link(&format!("{srv}/out/web.json"), "victim", 0);
        let answer = place.by(0, &["build", "web.kpol", "-o", &format!("{srv}/out/web.json")]);
        assert_eq!(answer.status, status, "{srv}: {}", answer.err);
        assert_eq!(place.state("victim").3, status != 0, "{srv}");
    }
}

#[test]
fn a_link_of_ones_own_is_followed_and_hard_links_are_parted() {
    let Some(place) = Place::new() else { return };
    for (user, home) in [(0, "root"), (ALICE, "alice")] {
        place.folder(home, 0o755, user);
        place.folder(&format!("{home}/real"), 0o755, user);
        place.file(&format!("{home}/real/web.json"), 0o640, user, user);
        place.link(&format!("{home}/web.json"), &format!("{home}/real/web.json"), user);
        fs::hard_link(place.path(&format!("{home}/real/web.json")), place.path(&format!("{home}/other"))).unwrap();
        let answer = place.by(user, &["build", "web.kpol", "-o", &format!("{home}/web.json")]);
        assert_eq!(answer.status, 0, "{}", answer.err);
        assert!(place.path(&format!("{home}/web.json")).is_symlink());
        assert_eq!(place.state(&format!("{home}/real/web.json")), (user, user, 0o640, false));
        assert_eq!(place.state(&format!("{home}/other")), (user, user, 0o640, true));
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let Some(place) = Place::new() else { return };
    place.folder("tmp", 0o1777, 0);
    let made = Command::new("mkfifo").arg(place.path("tmp/fifo.json")).status().unwrap();
    assert!(made.success());
    fs::create_dir(place.path("tmp/dir.json")).unwrap();
    for (name, word) in [("fifo", "it is a FIFO"), ("dir", "it is a directory")] {
        fs::copy(place.path("web.kpol"), place.path(&format!("{name}.kpol"))).unwrap();
        let answer = place.by(0, &["build", &format!("{name}.kpol"), "--install=tmp"]);
        assert_eq!((answer.status, answer.err.contains(word)), (2, true), "{}", answer.err);
    }
}

#[test]
fn nobody_gains_a_right_to_what_is_replaced() {
    let Some(place) = Place::new() else { return };
    place.folder("etc", 0o755, 0);
    place.folder("tmp", 0o1777, 0);
    place.folder("alice", 0o755, ALICE);
    // Where, whose it was with which group and bits, who builds how; whose it is then.
    for (name, old, (user, install), new) in [
        ("etc/a.json", (0, 0, 0o600), (0, true), (0, 0, 0o600)),
        ("etc/a.json", (0, 0, 0o666), (0, true), (0, 0, 0o644)),
        ("etc/a.json", (0, 7, 0o640), (0, true), (0, 7, 0o640)),
        ("etc/a.json", (ALICE, ALICE, 0o660), (0, true), (0, ALICE, 0o640)),
        ("etc/a.json", (ALICE, ALICE, 0o660), (0, false), (ALICE, ALICE, 0o660)),
        ("etc/a.json", (0, 0, 0o6755), (0, false), (0, 0, 0o755)),
        // In a folder for all the owner of the old file may be anybody: the new one is not theirs to write.
        ("tmp/a.json", (MALLORY, MALLORY, 0o666), (0, false), (0, 0, 0o644)),
        ("tmp/a.json", (MALLORY, MALLORY, 0o666), (0, true), (0, 0, 0o644)),
        // A group that she is not in cannot be kept: and hers gets no more than all have.
        ("alice/a.json", (ALICE, 7, 0o660), (ALICE, false), (ALICE, ALICE, 0o600)),
        ("alice/a.json", (0, 0, 0o644), (ALICE, false), (ALICE, ALICE, 0o644)),
    ] {
        place.file(name, old.2, old.0, old.1);
        fs::copy(place.path("web.kpol"), place.path("a.kpol")).unwrap();
        let folder = name.split('/').next().unwrap();
        let to = if install { format!("--install={folder}") } else { format!("--output={folder}/") };
        let answer = place.by(user, &["build", "a.kpol", &to]);
        assert_eq!(answer.status, 0, "{name} {old:?}: {}", answer.err);
        assert_eq!(place.state(name), (new.0, new.1, new.2, false), "{name} {old:?} by {user} {to}");
    }
}

#[test]
fn names_are_changed_in_folders_that_are_held_open() {
    let Some(place) = Place::new() else { return };
    place.folder("out", 0o755, 0);
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-f", "-e", "trace=file,desc", "-o", "trace"]).arg(place.path("kpolc"));
    strace.args(["build", "web.kpol", "--emit", "json,bpf", "-o", "out/new/"]).current_dir(place.0.path());
    if strace.output().is_err() {
        eprintln!("SKIPPED: no strace");
        return;
    }
    // Nothing that makes, changes or takes a name goes by a path, which somebody could lead elsewhere in the meantime.
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    let changes: Vec<&str> = trace
        .lines()
        .filter(|line| {
            ["O_CREAT", "rename", "unlink", "mkdir", " link", "symlink", "chmod", "chown"]
                .iter()
                .any(|word| line.contains(word))
        })
        .collect();
    assert!(changes.len() >= 5, "{trace}");
    for line in changes {
        let by_path = line.contains("AT_FDCWD") || line.split('"').skip(1).step_by(2).any(|name| name.contains('/'));
        assert!(!by_path, "{line}");
    }
}
