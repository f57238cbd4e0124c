//! Node with its cluster: a first process, and workers that serve HTTP.

use std::io::Write as _;

use kpol_tests::service::{Program, Stage, inside, rest};
use kpol_tests::skip::Skip;

const PORT: u16 = 3000;

/// Files, a child, a thread, hashes and compression of the pool, a watched folder; SIGHUP takes new workers.
const SERVICE: &str = r#"
const cluster = require('node:cluster'), fs = require('node:fs'), http = require('node:http'), path = require('node:path');
const { execFile } = require('node:child_process'), { Worker } = require('node:worker_threads');
const crypto = require('node:crypto'), dns = require('node:dns'), zlib = require('node:zlib');
const [address, port] = [process.argv[2], Number(process.argv[3])];

async function work(body) {
  const folder = await fs.promises.mkdtemp('/srv/tmp/upload-');
  const file = path.join(folder, 'file');
  const handle = await fs.promises.open(file, 'w');
  await handle.write(body);
  await handle.sync();
  await handle.close();
  await fs.promises.rename(file, file + '.done');
  await fs.promises.copyFile(file + '.done', '/srv/tmp/kept');
  const names = await fs.promises.readdir(folder);
  await fs.promises.rm(folder, { recursive: true });
  const child = await new Promise((done) => execFile('/usr/bin/env', ['echo', 'child'], (_, out) => done(out.trim())));
  const thread = await new Promise((done) => {
    new Worker("require('node:worker_threads').parentPort.postMessage('thread')", { eval: true }).on('message', done);
  });
  const key = await new Promise((done) => crypto.scrypt(body, 'salt', 8, (_, key) => done(key.length)));
  const packed = await new Promise((done) => zlib.gzip(body, (_, bytes) => done(bytes.length < body.length)));
  return JSON.stringify([names, child, thread, key, packed]);
}

if (cluster.isPrimary) {
  let ends = false, alive = 0;
  const start = () => (cluster.fork(), alive++);
  cluster.on('listening', (worker) => console.log('worker listens', worker.process.pid));
  cluster.on('exit', (worker, code, signal) => {
    console.log('worker ended', signal ?? code, worker.process.pid);
    alive--;
    if (!ends) start();
    else if (alive === 0) process.exit(0);
  });
  process.on('SIGHUP', () => Object.values(cluster.workers).forEach((worker) => worker.disconnect()));
  process.on('SIGTERM', () => {
    ends = true;
    console.log('stopping');
    Object.values(cluster.workers).forEach((worker) => worker.disconnect());
  });
  start();
  start();
} else {
  const version = fs.readFileSync('/srv/app/version', 'utf8');
  fs.watch('/srv/app', { persistent: false }, () => {});
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', async () => {
      response.setHeader('Connection', 'close');
      if (request.url === '/version') response.end(version);
      else if (request.url === '/proxy') {
        http.get({ host: address, port, path: '/version', agent: false }, (other) => {
          other.on('data', (text) => dns.lookup('nobody.invalid', (error) => response.end(text + ', ' + error.code)));
        });
      } else if (request.url === '/file') fs.createReadStream('/srv/tmp/kept').pipe(response);
      else response.end(await work(Buffer.concat(parts)));
    });
  });
  server.listen(port, address);
  process.on('SIGTERM', () => {});
}
"#;

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let port = PORT.to_string();
    let program = Program::new(&[&inside("bin/node")?, "/srv/app/service.js", &stage.address, &port]);
    stage.folder("srv/tmp", 1000);
    stage.write("srv/app/service.js", SERVICE);
    stage.write("srv/app/version", "first");
    stage.write("etc/resolv.conf", &format!("nameserver {}\n", stage.address));
    let mut node = stage.start(&program)?;
    let first = [(); 2].map(|()| node.says_process(&["worker listens"]));

    assert!(stage.get(PORT, "/version").ends_with("first"));
    let body = "x".repeat(100_000);
    let length = body.len();
    let post = format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = stage.ask(PORT, &post);
    assert!(answer.contains(r#"[["file.done"],"child","thread",8,true]"#), "{answer}");
    assert_eq!(stage.text("srv/tmp/kept"), body);
    assert!(stage.get(PORT, "/file").contains(&body[..1000]));

    // A call to another service, and a name that nobody has.
    let answer = stage.get(PORT, "/proxy");
    assert!(answer.contains("first, E"), "{answer}");

    // Reload: the workers let go, and new ones read the new text.
    stage.write("srv/app/version", "second");
    node.signal(1, libc::SIGHUP);
    let second = [(); 2].map(|()| node.says_process(&["worker listens"]));
    assert!(second.iter().all(|worker| !first.contains(worker)));
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A worker dies, and another takes its place.
    node.signal(second[0], libc::SIGKILL);
    node.says(&["worker ended SIGKILL", &second[0].to_string()]);
    let new = node.says_process(&["worker listens"]);
    assert!(!second.contains(&new));
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A stop that lets the request finish.
    let mut slow = stage.connect(PORT);
    slow.write_all(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nla").unwrap();
    for _ in 0..4 {
        stage.get(PORT, "/version");
    }
    node.signal(1, libc::SIGTERM);
    node.says(&["stopping"]);
    slow.write_all(b"st").unwrap();
    assert!(rest(slow).contains("file.done"));
    let (status, said) = node.ends();
    assert_eq!(status, Some(0), "{said}");
    Ok(())
}
