//! nginx of Debian: a master that is root, two workers that are not.

use std::io::Write as _;

use kpol_tests::service::{Program, Stage, inside, rest};
use kpol_tests::skip::Skip;

const PORT: u16 = 8080;

fn configure(stage: &Stage<'_>, version: &str) {
    let address = &stage.address;
    stage.write(
        "srv/nginx.conf",
        &format!(
            "daemon off; user worker worker; worker_processes 2; pid /run/nginx.pid; error_log stderr notice;\n\
             events {{ }}\n\
             http {{\n\
                 access_log /srv/log/access.log; sendfile on;\n\
                 client_body_temp_path /srv/tmp/body; proxy_temp_path /srv/tmp/proxy; fastcgi_temp_path /srv/tmp/fastcgi;\n\
                 uwsgi_temp_path /srv/tmp/uwsgi; scgi_temp_path /srv/tmp/scgi;\n\
                 server {{\n\
                     listen {address}:{PORT}; root /srv/www; gzip on;\n\
                     location /list/ {{ autoindex on; }}\n\
                     location = /version {{ return 200 {version}; }}\n\
                     location /upload/ {{ dav_methods PUT DELETE; create_full_put_path on; }}\n\
                 }}\n\
             }}\n"
        ),
    );
}

fn put(stage: &Stage<'_>, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stage.ask(PORT, &(head + body))
}

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let mut program = Program::new(&[&inside("sbin/nginx")?, "-e", "stderr", "-c", "/srv/nginx.conf"]);
    program.uid = 0;
    program.caps = &["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"];
    configure(stage, "first");
    for (folder, uid) in [("srv/log", 0), ("srv/tmp", 0), ("srv/www", 33), ("srv/www/list", 33), ("srv/www/upload", 33)]
    {
        stage.folder(folder, uid);
    }
    let large = "0123456789abcdef".repeat(1 << 16);
    stage.write("srv/www/list/large", &large);
    let mut nginx = stage.start(&program)?;
    let first = [(); 2].map(|()| nginx.says_process(&["start worker process "]));

    // Pages, a folder, a file by sendfile; uploads through a temporary file.
    assert!(stage.get(PORT, "/version").ends_with("first"));
    assert!(stage.get(PORT, "/list/").contains(">large</a>"));
    assert!(stage.get(PORT, "/list/large").ends_with(&large));
    assert!(put(stage, "/upload/new/file", &large).starts_with("HTTP/1.1 201"));
    assert_eq!(stage.text("srv/www/upload/new/file"), large);

    // Rotation: the log is opened anew where it was moved away.
    std::fs::rename(stage.path("srv/log/access.log"), stage.path("srv/log/access.log.1")).unwrap();
    nginx.signal(1, libc::SIGUSR1);
    // The master and both workers; the line of the signal itself has a comma there.
    for _ in 0..3 {
        nginx.says(&[": reopening logs"]);
    }
    stage.get(PORT, "/version?rotated");
    assert!(stage.text("srv/log/access.log.1").contains("PUT /upload/new/file"));

    // Reload: new workers with the new configuration, and the old ones end.
    configure(stage, "second");
    nginx.signal(1, libc::SIGHUP);
    let workers = [(); 2].map(|()| nginx.says_process(&["start worker process "]));
    assert!(workers.iter().all(|worker| !first.contains(worker)));
    for _ in first {
        nginx.says(&["worker process", "exited with code 0"]);
    }
    assert!(stage.get(PORT, "/version").ends_with("second"));
    // The workers that wrote it have ended.
    assert!(stage.text("srv/log/access.log").contains("GET /version?rotated"));

    // A worker dies, and another takes its place.
    nginx.signal(workers[0], libc::SIGSEGV);
    nginx.says(&[&format!("worker process {} exited on signal 11", workers[0])]);
    let new = nginx.says_process(&["start worker process "]);
    assert!(!workers.contains(&new) && nginx.processes().iter().any(|&(_, inside)| inside == new));
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A stop that lets a request finish which has begun.
    let mut slow = stage.connect(PORT);
    slow.write_all(b"PUT /upload/last HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nla").unwrap();
    // It is in the hands of a worker when that has answered another that came later.
    for _ in 0..4 {
        stage.get(PORT, "/version");
    }
    nginx.signal(1, libc::SIGQUIT);
    nginx.says(&["gracefully shutting down"]);
    nginx.says(&["gracefully shutting down"]);
    slow.write_all(b"st").unwrap();
    assert!(rest(slow).starts_with("HTTP/1.1 201"));
    let (status, said) = nginx.ends();
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(stage.text("srv/www/upload/last"), "last");
    Ok(())
}
