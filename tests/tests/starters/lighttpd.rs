//! lighttpd of Debian: one process, which takes another user after it has bound its port.

use kpol_tests::service::{Program, Stage, inside};
use kpol_tests::skip::Skip;

const PORT: u16 = 8080;

fn configure(stage: &Stage<'_>, version: &str) {
    let address = &stage.address;
    stage.write(
        "srv/lighttpd.conf",
        &format!(
            "server.modules = (\"mod_accesslog\", \"mod_dirlisting\", \"mod_redirect\", \"mod_setenv\")\n\
             server.bind = \"{address}\"\nserver.port = {PORT}\nserver.document-root = \"/srv/www\"\n\
             server.username = \"worker\"\nserver.groupname = \"worker\"\nserver.max-worker = 2\n\
             server.upload-dirs = (\"/srv/tmp\")\nserver.systemd-socket-activation = \"disable\"\n\
             dir-listing.activate = \"enable\"\naccesslog.filename = \"/srv/log/access.log\"\n\
             setenv.add-response-header = (\"X-Version\" => \"{version}\")\n"
        ),
    );
}

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let modules = inside("lib/lighttpd")?;
    let mut program = Program::new(&[&inside("sbin/lighttpd")?, "-D", "-m", &modules, "-f", "/srv/lighttpd.conf"]);
    program.uid = 0;
    program.caps = &["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"];
    configure(stage, "first");
    for (folder, uid) in [("srv/log", 33), ("srv/tmp", 33), ("srv/www", 33), ("srv/www/list", 33)] {
        stage.folder(folder, uid);
    }
    let large = "0123456789abcdef".repeat(1 << 16);
    stage.write("srv/www/list/large", &large);
    let mut lighttpd = stage.start(&program)?;
    lighttpd.says(&["server started"]);

    // Pages, a folder, a large file; a request whose body goes to a file first.
    assert!(stage.get(PORT, "/list/").contains("X-Version: first"));
    assert!(stage.get(PORT, "/list/").contains(">large</a>"));
    assert!(stage.get(PORT, "/list/large").ends_with(&large));
    let length = large.len();
    let post = format!(
        "POST /list/large HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{large}"
    );
    assert!(stage.ask(PORT, &post).starts_with("HTTP/1.1 "));

    // Reload: the master starts itself again with the new configuration.
    configure(stage, "second");
    lighttpd.signal(1, libc::SIGUSR1);
    lighttpd.says(&["server started"]);
    assert!(stage.get(PORT, "/list/").contains("X-Version: second"));

    // A worker dies, and another takes its place.
    let worker = lighttpd.processes().into_iter().map(|(_, inside)| inside).max().unwrap();
    lighttpd.signal(worker, libc::SIGKILL);
    assert!(lighttpd.successor(worker) > worker);
    assert!(stage.get(PORT, "/list/").contains("X-Version: second"));

    // The stop.
    lighttpd.signal(1, libc::SIGTERM);
    let (status, said) = lighttpd.ends();
    assert_eq!(status, Some(0), "{said}");
    assert!(stage.text("srv/log/access.log").contains("POST /list/large"));
    Ok(())
}
