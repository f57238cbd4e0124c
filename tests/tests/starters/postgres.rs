//! PostgreSQL of Debian, from `initdb` on.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use kpol_tests::service::{Program, Service, Stage, inside};
use kpol_tests::skip::{Skip, cache_dir};

const PORT: &str = "5432";

fn psql(stage: &Stage<'_>) -> Command {
    // Outside of the container: it is the client.
    let found = inside("lib/postgresql/*/bin/psql").expect("it comes with the server");
    let path =
        found.strip_prefix("/programs/").map_or(PathBuf::from(&found), |rest| cache_dir().join("programs").join(rest));
    let mut command = Command::new(path);
    let library = cache_dir().join(format!("programs/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    command.args(["-X", "-q", "-t", "-A", "-h", &stage.address, "-p", PORT, "-U", "service", "postgres"]);
    command.env("LD_LIBRARY_PATH", library).env("PGPASSWORD", "none");
    command
}

/// What a statement gives, or the complaint about it.
fn ask(stage: &Stage<'_>, statement: &str) -> String {
    let output = psql(stage).args(["-c", statement]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim_end().to_owned()
}

fn start(stage: &Stage<'_>, program: &Program) -> Result<Service, Skip> {
    let mut postgres = stage.start(program)?;
    postgres.says(&["database system is ready to accept connections"]);
    Ok(postgres)
}

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let initdb = Program::new(&[
        &inside("lib/postgresql/*/bin/initdb")?,
        "-D",
        "/srv/data",
        "-U",
        "service",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-instructions",
    ]);
    let (status, said) = stage.run(&initdb)?;
    assert_eq!(status, Some(0), "{said}");
    assert!(stage.text("srv/data/PG_VERSION").starts_with(|c: char| c.is_ascii_digit()));
    let socket = "unix_socket_directories=/srv";
    let address = format!("listen_addresses={}", stage.address);
    let server = inside("lib/postgresql/*/bin/postgres")?;
    let options = ["-c", &address, "-c", socket, "-c", "max_parallel_workers=2", "-c", "log_autovacuum_min_duration=0"];
    let program = Program::new(&[&[server.as_str(), "-D", "/srv/data"], &options[..]].concat());
    let mut postgres = start(stage, &program)?;

    // Tables, an index, a sort that goes to files, workers in parallel, copies in and out, and a message between two sessions.
    let fill = "CREATE TABLE t AS SELECT g AS id, md5(g::text) AS word FROM generate_series(1, 60000) g; CREATE INDEX ON t (word)";
    assert_eq!(ask(stage, fill), "");
    let sort = "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT word FROM t ORDER BY word OFFSET 10) s";
    assert_eq!(ask(stage, sort), "59990");
    let parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; \
                    SET debug_parallel_query = on; SELECT sum(length(word)) FROM t";
    let parallel = if *ask(stage, "SHOW server_version_num") < *"160000" {
        parallel.replace("debug_parallel_query", "force_parallel_mode")
    } else {
        parallel.to_owned()
    };
    assert_eq!(ask(stage, &parallel), "1920000");
    assert_eq!(
        ask(stage, "COPY t TO '/srv/data/copy'; TRUNCATE t; COPY t FROM '/srv/data/copy'; SELECT count(*) FROM t"),
        "60000"
    );
    assert_eq!(ask(stage, "VACUUM FULL t"), "");
    assert_eq!(ask(stage, "CREATE DATABASE other"), "");
    assert_eq!(ask(stage, "CHECKPOINT"), "");
    assert_eq!(ask(stage, "DROP DATABASE other"), "");
    assert_eq!(ask(stage, "DROP TABLE t"), "");
    assert_eq!(ask(stage, "CREATE TABLE kept AS SELECT 77 AS n"), "");

    // Reload.
    assert_eq!(ask(stage, "ALTER SYSTEM SET work_mem = '7777kB'"), "");
    postgres.signal(1, libc::SIGHUP);
    postgres.says(&["parameter \"work_mem\" changed"]);
    assert_eq!(ask(stage, "SHOW work_mem"), "7777kB");

    // A session dies: all others end as well, and the server comes back with what was committed.
    let mut killed = psql(stage);
    killed.args(["-c", "SELECT pg_backend_pid()", "-c", "SELECT pg_sleep(1000)"]);
    let mut killed = killed.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(killed.stdout.as_mut().unwrap()), &mut first).unwrap();
    postgres.signal(first.trim().parse().unwrap(), libc::SIGKILL);
    postgres.says(&["was terminated by signal 9"]);
    postgres.says(&["database system is ready to accept connections"]);
    assert!(!killed.wait().unwrap().success());
    assert_eq!(ask(stage, "SELECT n FROM kept"), "77");

    // A fast stop ends sessions, writes all down and leaves.
    postgres.signal(1, libc::SIGINT);
    let (status, said) = postgres.ends();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("database system is shut down"), "{said}");
    assert!(!stage.path("srv/data/postmaster.pid").exists());
    Ok(())
}
