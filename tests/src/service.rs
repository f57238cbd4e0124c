//! A program of others, from its start to its end, in a container.
//!
//! ```text
//! let stage = Stage::new(Way::Traced)?;              or Way::Under(Runtime::Podman, json)
//! let mut nginx = stage.start(&program)?;
//! nginx.says("start worker process 8");                  reads what it writes until a line holds these words
//! nginx.signal(1, libc::SIGHUP);                         processes are numbered as they are inside
//! nginx.ends() == Some(0);
//! stage.seen()  →  {accept4, bind, …}                      what it called, if it was traced
//! ```
//!
//! The same session runs twice: under strace and without a filter, to learn what is called, and under the filter. strace follows crun
//! from outside, so the program is the first process of its container both times; only what it and its children call is counted.
//!
//! The container has `/usr` of this machine, and what `tests/setup.sh` unpacked, to be read; all else is a new folder. It shares the network
//! of the machine, where each stage has a loopback address of its own: ports never meet.
//!
//! Nothing here waits for a time: a session reads on until the program says that it is ready, and the end of what it says is a failure.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::containers::{Mount, Process, Rootfs, Runtime, Seccomp, line, surroundings, works};
use crate::skip::{Skip, cache_dir, program};

/// How a session is run.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// Without a filter, by crun under strace.
    Traced,
    /// Under a profile.
    Under(Runtime, &'a str),
}

/// Seconds after which a container is ended that does nothing more.
const HANGS: u32 = 120;

/// Where services that `tests/setup.sh` unpacked are inside.
const UNPACKED: &str = "/programs";

/// The path inside of a program: one that was unpacked for the tests, else the machine's own.
///
/// `name` is what follows `/usr/`, with `*` for a folder whose name has a version in it.
pub fn inside(name: &str) -> Result<String, Skip> {
    let unpacked = cache_dir().join("programs");
    for (root, there) in [(unpacked.as_path(), UNPACKED), (Path::new("/"), "")] {
        if let Some(found) = find(&root.join("usr"), name) {
            let path = found.strip_prefix(root).expect("found below it");
            return Ok(format!("{there}/{}", path.display()));
        }
    }
    Err(Skip(format!("no /usr/{name} (tests/setup.sh unpacks it)")))
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let Some((before, after)) = name.split_once("/*/") else {
        return Some(folder.join(name)).filter(|path| path.exists());
    };
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder.join(before)).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries.iter().find_map(|entry| find(entry, after))
}

/// What is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its path inside, and its arguments.
    pub command: Vec<String>,
    /// Its user.
    pub uid: u32,
    /// Capabilities of the container.
    pub caps: &'static [&'static str],
    /// More of its environment.
    pub env: Vec<String>,
    /// More folders.
    pub mounts: Vec<Mount>,
}

impl Program {
    /// A program of a user without rights.
    pub fn new(command: &[&str]) -> Self {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Self { command, uid: 1000, caps: &[], env: Vec::new(), mounts: Vec::new() }
    }
}

/// A root file system, and what was called by all that was started in it.
#[derive(Debug)]
pub struct Stage<'a> {
    way: Way<'a>,
    root: Rootfs,
    /// The address that services listen on.
    pub address: String,
    seen: Seen,
}

/// Calls by the names that strace has for them.
type Seen = Arc<Mutex<BTreeSet<String>>>;

impl<'a> Stage<'a> {
    /// A new one; `etc` holds users, `srv` is for all to write.
    pub fn new(way: Way<'a>) -> Result<Self, Skip> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        match way {
            Way::Traced => {
                works(Runtime::Crun)?;
                program("strace")?;
            }
            Way::Under(runtime, _) => works(runtime)?,
        }
        let root = Rootfs::of_machine();
        // 127.0.0.0/8 is the machine itself; another run of the tests has another number.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = format!("127.{}.{low}.{}", 64 + (high & 127), NEXT.fetch_add(1, Ordering::Relaxed) % 254 + 1);
        let stage = Self { way, root, address, seen: Seen::default() };
        stage.write("etc/passwd", "root:x:0:0::/:/bin/sh\nworker:x:33:33::/:/bin/sh\nservice:x:1000:1000::/:/bin/sh\n");
        stage.write("etc/group", "root:x:0:\nworker:x:33:\nservice:x:1000:\n");
        fs::set_permissions(stage.path("srv"), fs::Permissions::from_mode(0o1777)).expect("our folder");
        Ok(stage)
    }

    /// Where a file of the container is outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside.trim_start_matches('/'))
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("our folder");
        fs::write(path, text).expect("our folder");
    }

    /// Makes a folder that belongs to a user.
    pub fn folder(&self, inside: &str, uid: u32) {
        fs::create_dir_all(self.path(inside)).expect("our folder");
        chown(self.path(inside), Some(uid), Some(uid)).expect("root");
    }

    /// What a file holds; nothing where there is none.
    pub fn text(&self, inside: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(inside)).unwrap_or_default()).into_owned()
    }

    /// Starts a program.
    pub fn start(&self, program: &Program) -> Result<Service, Skip> {
        Service::start(self.way, &self.root, program, Arc::clone(&self.seen))
    }

    /// What was called by all that has ended.
    pub fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().expect("no test panics while it holds it").clone()
    }

    /// Runs a program to its end: its status, and what it wrote.
    pub fn run(&self, program: &Program) -> Result<(Option<i32>, String), Skip> {
        Ok(self.start(program)?.ends())
    }

    /// Asks for a page, and gives status line, headers and body.
    pub fn get(&self, port: u16, path: &str) -> String {
        self.ask(port, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
    }

    /// Sends a request, and reads until the service closes.
    pub fn ask(&self, port: u16, request: &str) -> String {
        let mut stream = self.connect(port);
        stream.write_all(request.as_bytes()).expect("a connection");
        rest(stream)
    }

    /// Opens a connection.
    pub fn connect(&self, port: u16) -> TcpStream {
        let stream = TcpStream::connect((self.address.as_str(), port));
        stream.unwrap_or_else(|error| panic!("{}:{port}: {error}", self.address))
    }
}

/// What comes until the service closes.
pub fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has said what it has.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program that runs.
#[derive(Debug)]
pub struct Service {
    child: Child,
    lines: BufReader<ChildStdout>,
    said: String,
    program: String,
    state: TempDir,
    trace: Option<PathBuf>,
    seen: Seen,
}

impl Service {
    fn start(way: Way<'_>, root: &Rootfs, what: &Program, seen: Seen) -> Result<Self, Skip> {
        let (runtime, seccomp) = match way {
            Way::Traced => (Runtime::Crun, Seccomp::Unconfined),
            Way::Under(runtime, json) => (runtime, Seccomp::Profile(json)),
        };
        let words: Vec<&str> = what.command.iter().map(String::as_str).collect();
        let mut mounts: Vec<Mount> = vec![(PathBuf::from("/usr"), "/usr")];
        let unpacked = cache_dir().join("programs");
        let mut env = vec!["PATH=/usr/sbin:/usr/bin".to_owned(), "LC_ALL=C.UTF-8".to_owned()];
        if let Ok(unpacked) = unpacked.canonicalize() {
            mounts.push((unpacked, UNPACKED));
            let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
            env.push(format!("LD_LIBRARY_PATH={UNPACKED}/usr/lib/{triple}"));
        }
        mounts.extend(what.mounts.iter().cloned());
        env.extend(what.env.iter().cloned());
        let env: Vec<&str> = env.iter().map(String::as_str).collect();
        let process = Process {
            uid: what.uid,
            env: &env,
            mounts: &mounts,
            host_network: true,
            // So the filter is there before the user and the capabilities are those of the program.
            no_new_privileges: false,
            ..Process::new(seccomp, what.caps, &words)
        };
        let (line, state) = line(runtime, root, &process)?;
        let mut command: Command = surroundings(state.path())?;
        let trace = matches!(way, Way::Traced).then(|| state.path().join("trace"));
        command.args(["sh", "-c", "exec \"$@\" 2>&1", "sh"]);
        if let Some(trace) = &trace {
            command.arg(program("strace")?).args(["-f", "-qq", "-s", "0", "-e", "signal=none", "-o"]).arg(trace);
        }
        command.args::<_, &OsString>(&line).stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: both calls take numbers, and touch nothing but the process that has been forked.
        unsafe {
            command.pre_exec(|| {
                // It ends with the test, and a session that hangs ends as one that failed. The alarm stays across `execve`.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::alarm(HANGS);
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(|error| Skip(format!("unshare: {error}")))?;
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let program = what.command[0].clone();
        Ok(Self { child, lines, said: String::new(), program, state, trace, seen })
    }

    /// Reads on until a line holds all of the words, and gives that line.
    ///
    /// # Panics
    /// When the program ends before: all that it said is shown.
    pub fn says(&mut self, words: &[&str]) -> String {
        loop {
            let mut bytes = Vec::new();
            let read = self.lines.read_until(b'\n', &mut bytes).expect("a pipe");
            let line = String::from_utf8_lossy(&bytes).into_owned();
            self.said.push_str(&line);
            assert!(read > 0, "{} never said {words:?}, but:\n{}", self.program, self.said);
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// The last number in the next line that holds all of the words, which is a process.
    pub fn says_process(&mut self, words: &[&str]) -> u32 {
        let line = self.says(words);
        let number = line.split(|c: char| !c.is_ascii_digit()).rfind(|part| !part.is_empty());
        number.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no number in {line:?}"))
    }

    /// Sends a signal to a process, which is named as it is inside.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn signal(&self, process: u32, signal: i32) {
        let outside = self.processes().into_iter().find(|&(_, inside)| inside == process);
        let (outside, _) =
            outside.unwrap_or_else(|| panic!("no process {process} in the container of {}", self.program));
        // SAFETY: kill takes two numbers.
        let sent = unsafe { libc::kill(outside.cast_signed(), signal) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
    }

    /// The processes of the container, as they are numbered outside and inside.
    pub fn processes(&self) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        let mut families = vec![self.child.id()];
        while let Some(parent) = families.pop() {
            let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
            for task in tasks {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                families.extend(children.split_whitespace().filter_map(|number| number.parse::<u32>().ok()));
            }
            let status = fs::read_to_string(format!("/proc/{parent}/status")).unwrap_or_default();
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            let numbers: Vec<u32> = numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            // One namespace is around the runtime, the next is the container's.
            if let [outside, _, inside] = numbers[..] {
                found.push((outside, inside));
            }
        }
        found
    }

    /// Looks until there is a process that was started after `old` had ended, and gives its number.
    ///
    /// # Panics
    /// When the container ends before.
    pub fn successor(&self, old: u32) -> u32 {
        loop {
            let all = self.processes();
            assert!(!all.is_empty(), "{} ended, and nothing came after process {old}", self.program);
            let newest = all.iter().map(|&(_, inside)| inside).max().unwrap_or_default();
            if newest > old && !all.iter().any(|&(_, inside)| inside == old) {
                return newest;
            }
            std::thread::yield_now();
        }
    }

    /// Waits for the end: the exit status, and all that was said. A program that a signal ended has 128 more than its number.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let mut bytes = Vec::new();
        self.lines.read_to_end(&mut bytes).expect("a pipe");
        let mut said = std::mem::take(&mut self.said);
        said.push_str(&String::from_utf8_lossy(&bytes));
        let status = self.child.wait().expect("our child").code();
        if let Some(trace) = &self.trace {
            let trace = fs::read(trace).unwrap_or_default();
            if let Some(folder) = std::env::var_os("KPOL_TRACES") {
                let name = Path::new(&self.program).file_name().unwrap_or_default().to_string_lossy();
                let kept = Path::new(&folder).join(format!("{name}.{}", self.child.id()));
                fs::write(kept, &trace).expect("KPOL_TRACES is a folder");
            }
            let calls = calls(&String::from_utf8_lossy(&trace), &self.program);
            self.seen.lock().expect("no test panics while it holds it").extend(calls);
        }
        (status, said)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // After a failure: with this one all of the container ends. `state` is removed after it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        debug_assert!(self.state.path().is_absolute());
    }
}

/// The calls in what `strace -f` wrote, from the moment when `program` was executed: its own and those of processes that came later.
fn calls(trace: &str, program: &str) -> BTreeSet<String> {
    let executed = format!("execve(\"{program}\"");
    let (mut before, mut first) = (BTreeSet::new(), None);
    let mut calls = BTreeSet::new();
    for line in trace.lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if first.is_none() {
            if rest.starts_with(&executed) && !rest.contains("= -1") {
                first = Some(process);
            } else {
                before.insert(process);
            }
        } else if first == Some(process) || !before.contains(process) {
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            if !name.is_empty() && rest[name.len()..].starts_with('(') {
                calls.insert(name.to_owned());
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_program_and_its_children_are_counted() {
        let trace = "10 openat(AT_FDCWD, \"x\", O_RDONLY) = 3\n11 prctl(PR_GET_NAME) = 0\n11 execve(\"/bin/no\", …) = -1 ENOENT\n\
                     11 execve(\"/bin/it\", [\"it\"], 0x7ffc /* 2 vars */) = 0\n11 brk(NULL) = 0x1\n10 wait4(11 <unfinished ...>\n\
                     11 clone(child_stack=NULL) = 12\n12 getpid( <unfinished ...>\n11 <... clone resumed>) = 12\n\
                     12 +++ exited with 0 +++\n10 close(3) = 0\n";
        assert_eq!(calls(trace, "/bin/it"), BTreeSet::from(["brk", "clone", "getpid"].map(str::to_owned)));
    }
}
