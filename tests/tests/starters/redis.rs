//! Redis of Debian, with both of its ways to keep what it holds: whole copies, and a log of commands.

use std::io::{Read as _, Write as _};

use kpol_tests::service::{Program, Service, Stage, inside};
use kpol_tests::skip::Skip;

const PORT: u16 = 6379;

/// Sends a command of words without spaces in them, and gives the first line of the answer.
fn tell(stage: &Stage<'_>, command: &str) -> String {
    let mut stream = stage.connect(PORT);
    let words: Vec<&str> = command.split(' ').collect();
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        answer.push(byte[0]);
    }
    String::from_utf8_lossy(&answer).trim_end().to_owned()
}

fn start(stage: &Stage<'_>, program: &Program) -> Result<Service, Skip> {
    let mut redis = stage.start(program)?;
    redis.says(&["Ready to accept connections"]);
    Ok(redis)
}

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let program = Program::new(&[&inside("bin/redis-server")?, "/srv/redis.conf"]);
    let address = &stage.address;
    stage.write(
        "srv/redis.conf",
        &format!(
            "bind {address}\nport {PORT}\nprotected-mode no\nunixsocket /srv/redis.sock\nunixsocketperm 770\n\
             dir /srv/data\nsave 3600 100000\nappendonly yes\nappendfsync always\nlazyfree-lazy-user-del yes\n\
             enable-debug-command yes\nshutdown-timeout 0\nstop-writes-on-bgsave-error no\nlogfile \"\"\n"
        ),
    );
    stage.folder("srv/data", 1000);
    std::os::unix::fs::chown(stage.path("srv/redis.conf"), Some(1000), Some(1000)).unwrap();
    let mut redis = start(stage, &program)?;

    // Values, a script, memory that a thread frees.
    assert_eq!(tell(stage, "SET kept 77"), "+OK");
    assert_eq!(tell(stage, "INCR kept"), ":78");
    assert_eq!(tell(stage, "EVAL return(redis.call('GET','kept')+1) 0"), ":79");
    assert!(tell(stage, "INFO").starts_with('$') && tell(stage, "CLIENT LIST").starts_with('$'));
    assert_eq!(tell(stage, "DEBUG POPULATE 10000"), "+OK");
    assert_eq!(tell(stage, "DEL key:1"), ":1");
    assert_eq!(tell(stage, "FLUSHALL ASYNC"), "+OK");
    assert_eq!(tell(stage, "SET kept 78"), "+OK");

    // Children that write a copy, and a new log in place of the old one.
    assert_eq!(tell(stage, "BGSAVE"), "+Background saving started");
    redis.says(&["Background saving terminated with success"]);
    assert!(stage.path("srv/data/dump.rdb").exists());
    assert!(stage.text("srv/data/appendonlydir/appendonly.aof.1.incr.aof").contains("INCR"));
    assert!(tell(stage, "BGREWRITEAOF").starts_with("+Background"));
    redis.says(&["Background AOF rewrite finished successfully"]);
    assert!(!stage.path("srv/data/appendonlydir/appendonly.aof.1.incr.aof").exists());

    // Its configuration is changed while it runs, and kept.
    assert_eq!(tell(stage, "CONFIG SET maxmemory 123456789"), "+OK");
    assert_eq!(tell(stage, "CONFIG REWRITE"), "+OK");
    assert!(stage.text("srv/redis.conf").contains("maxmemory 123456789"));

    // A child that saves dies, and the server goes on.
    assert_eq!(tell(stage, "SET other 79"), "+OK");
    assert_eq!(tell(stage, "CONFIG SET rdb-key-save-delay 100000000"), "+OK");
    tell(stage, "BGSAVE");
    let child = redis.says_process(&["Background saving started by pid"]);
    redis.signal(child, libc::SIGKILL);
    redis.says(&["Background saving terminated by signal 9"]);
    assert_eq!(tell(stage, "INCR kept"), ":79");

    // The server dies, and the next one has everything again.
    redis.signal(1, libc::SIGKILL);
    let (status, said) = redis.ends();
    assert_eq!(status, Some(128 + libc::SIGKILL), "{said}");
    let mut redis = start(stage, &program)?;
    assert_eq!(tell(stage, "INCR kept"), ":80");

    // A stop that ends the child which saves, and saves by itself.
    assert_eq!(tell(stage, "CONFIG SET rdb-key-save-delay 100000000"), "+OK");
    tell(stage, "BGSAVE");
    redis.says(&["Background saving started by pid"]);
    assert_eq!(tell(stage, "CONFIG SET rdb-key-save-delay 0"), "+OK");
    std::fs::remove_file(stage.path("srv/data/dump.rdb")).unwrap();
    redis.signal(1, libc::SIGTERM);
    redis.says(&["Killing it"]);
    redis.says(&["bye bye"]);
    let (status, said) = redis.ends();
    assert_eq!(status, Some(0), "{said}");
    assert!(stage.path("srv/data/dump.rdb").exists());
    Ok(())
}
