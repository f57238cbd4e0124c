//! gunicorn of PyPI under Debian's Python: a master, and workers that run an application of WSGI.

use std::io::Write as _;

use kpol_tests::service::{Program, Stage, inside, rest};
use kpol_tests::skip::{Skip, cache_dir};

const PORT: u16 = 8000;

/// Answers with its version; works with files, a child, a thread, a hash, a database of one file and another service.
fn application(version: &str) -> String {
    format!(
        "VERSION = '{version}'\n{}",
        r#"
import hashlib, http.client, json, os, shutil, socket, sqlite3, subprocess, tempfile, threading

def others(address):
    other = http.client.HTTPConnection(address, 8000)
    other.request('GET', '/version')
    version = other.getresponse().read().decode()
    try:
        socket.getaddrinfo('nobody.invalid', 80)
    except OSError:
        version += ', nobody'
    return version

def work(body):
    with tempfile.TemporaryDirectory(dir='/srv/tmp') as folder:
        path = os.path.join(folder, 'upload')
        with open(path, 'wb') as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path, path + '.done')
        shutil.copy(path + '.done', '/srv/tmp/kept')
        names = os.listdir(folder)
    with sqlite3.connect('/srv/tmp/database') as database:
        database.execute('CREATE TABLE IF NOT EXISTS t (n)')
        database.execute('INSERT INTO t VALUES (77)')
        count = database.execute('SELECT count(*) FROM t').fetchone()[0]
    found = []
    thread = threading.Thread(target=lambda: found.append(hashlib.sha256(body).hexdigest()))
    thread.start()
    thread.join()
    child = subprocess.run(['/usr/bin/env', 'echo', 'child'], capture_output=True, text=True).stdout.strip()
    return json.dumps([names, count > 0, found[0][:8], child])

def application(environ, start):
    length = int(environ.get('CONTENT_LENGTH') or 0)
    body = environ['wsgi.input'].read(length)
    path = environ['PATH_INFO']
    answer = VERSION if path == '/version' else str(os.getpid()) if path == '/pid' else work(body) if path == '/' else others(path[1:])
    start('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(answer)))])
    return [answer.encode()]
"#
    )
}

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let packages = cache_dir().join("gunicorn");
    let packages = packages.canonicalize().map_err(|_| Skip("no gunicorn (tests/setup.sh fetches it)".into()))?;
    let bind = format!("{}:{PORT}", stage.address);
    let mut program = Program::new(&[
        &inside("bin/python3")?,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-b",
        &bind,
        "--access-logfile",
        "/srv/tmp/access.log",
        "--pid",
        "/srv/tmp/gunicorn.pid",
        "--chdir",
        "/srv/app",
        "service:application",
    ]);
    program.mounts.push((packages, "/gunicorn"));
    program.env.extend(["PYTHONPATH=/gunicorn", "PYTHONUNBUFFERED=1"].map(str::to_owned));
    stage.folder("srv/tmp", 1000);
    stage.folder("srv/app", 1000);
    stage.write("srv/app/service.py", &application("first"));
    stage.write("etc/resolv.conf", &format!("nameserver {}\n", stage.address));
    let mut gunicorn = stage.start(&program)?;
    let first = [(); 2].map(|()| gunicorn.says_process(&["Booting worker with pid"]));

    let answer = stage.get(PORT, "/version");
    assert!(answer.ends_with("first"), "{answer}");
    let body = "x".repeat(100_000);
    let length = body.len();
    let post = format!("POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = stage.ask(PORT, &post);
    assert!(answer.ends_with(r#"[["upload.done"], true, "d69e6898", "child"]"#), "{answer}");
    assert_eq!(stage.text("srv/tmp/kept"), body);

    // A worker calls the other one, and asks for a name.
    assert!(stage.get(PORT, &format!("/{}", stage.address)).ends_with("first, nobody"));

    // Rotation.
    std::fs::rename(stage.path("srv/tmp/access.log"), stage.path("srv/tmp/access.log.1")).unwrap();
    gunicorn.signal(1, libc::SIGUSR1);
    gunicorn.says(&["Handling signal: usr1"]);

    // Reload: new workers with the new application.
    stage.write("srv/app/service.py", &application("second, and longer"));
    gunicorn.signal(1, libc::SIGHUP);
    // Old ones end while new ones begin.
    let (mut second, mut ended) = (Vec::new(), 0);
    while second.len() < 2 || ended < 2 {
        let line = gunicorn.says(&["[INFO]"]);
        ended += usize::from(line.contains("Worker exiting"));
        if let Some((_, number)) = line.split_once("Booting worker with pid: ") {
            second.push(number.trim().parse::<u32>().unwrap());
        }
    }
    assert!(second.iter().all(|worker| !first.contains(worker)));
    assert!(stage.get(PORT, "/version").ends_with("second, and longer"));

    // A worker dies, and another takes its place.
    gunicorn.signal(second[0], libc::SIGKILL);
    let new = gunicorn.says_process(&["Booting worker with pid"]);
    assert!(!second.contains(&new));
    assert!(stage.get(PORT, "/version").ends_with("second, and longer"));

    // A stop that lets the request finish.
    let mut slow = stage.connect(PORT);
    slow.write_all(b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nla").unwrap();
    for _ in 0..4 {
        stage.get(PORT, "/pid");
    }
    gunicorn.signal(1, libc::SIGTERM);
    gunicorn.says(&["Handling signal: term"]);
    slow.write_all(b"st").unwrap();
    assert!(rest(slow).contains("upload.done"));
    let (status, said) = gunicorn.ends();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("Shutting down: Master"), "{said}");
    assert!(stage.text("srv/tmp/access.log").contains("GET /pid"), "the new log has the requests since");
    assert!(!stage.path("srv/tmp/gunicorn.pid").exists());
    Ok(())
}
