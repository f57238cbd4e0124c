//! Profiles and filters in real containers.
//!
//! ```text
//! let rootfs = Rootfs::new()?;                                     busybox, and the probe as /bin/probe
//! run(Runtime::Crun, &rootfs, Seccomp::Profile(json), &[], &["mkdir", "/x"])?
//!     →  Output { status: 1, stderr: "mkdir: can't create directory '/x': Operation not permitted" }
//! ```
//!
//! crun and runc are given the `linux.seccomp` that an engine would make of the profile ([`to_oci`]); podman loads the
//! file itself, by the library that CRI-O uses. A raw filter goes by crun's annotation `run.oci.seccomp_bpf_data`
//! (base64; `crun.1`). Containers have a mount namespace around them, with a cgroup2 of their own where the machine's
//! hierarchy is an older one, so that nothing of them stays behind.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kpol_compiler::spec::{Action, Call};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cbpf::assemble::always;
use crate::kernel::native;
use crate::probe::{Job, Outcome, build, read_outcomes, write_jobs};
use crate::profile::{Node, to_oci};
use crate::skip::{Skip, need_root, program};

/// Who starts the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Runtime {
    Crun,
    Runc,
    /// With crun below it.
    Podman,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Crun, Self::Runc, Self::Podman];

    fn name(self) -> &'static str {
        match self {
            Self::Crun => "crun",
            Self::Runc => "runc",
            Self::Podman => "podman",
        }
    }
}

/// What the container is confined by.
#[derive(Debug, Clone, Copy)]
pub enum Seccomp<'a> {
    /// Nothing.
    Unconfined,
    /// A profile as in `/etc/seccomp`.
    Profile(&'a str),
    /// A `struct sock_filter` array; crun alone takes it.
    Bpf(&'a [u8]),
}

/// What came out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status of the command, or the runtime's own; `None` when a signal ended the runtime.
    pub status: Option<i32>,
    /// What the command wrote.
    pub stdout: String,
    /// What the command and the runtime complained about.
    pub stderr: String,
}

impl Output {
    /// Whether the command ran and succeeded.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

/// A root file system in a temporary folder.
#[derive(Debug)]
pub struct Rootfs(TempDir);

impl Rootfs {
    /// One with a shell, the common tools and the probe.
    pub fn new() -> Result<Self, Skip> {
        let busybox = program("busybox")?;
        let probe = build(native()?)?;
        let rootfs = Self(tempfile::Builder::new().prefix("kpol-rootfs-").tempdir().expect("a temporary folder"));
        for dir in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            std::fs::create_dir(rootfs.path().join(dir)).expect("a temporary folder");
        }
        for (file, name) in [(&busybox, "busybox"), (&probe, "probe")] {
            std::fs::copy(file, rootfs.path().join("bin").join(name)).expect("a temporary folder");
        }
        for tool in ["cat", "echo", "id", "ls", "mkdir", "mount", "sh", "sleep", "true"] {
            std::os::unix::fs::symlink("busybox", rootfs.path().join("bin").join(tool)).expect("a temporary folder");
        }
        Ok(rootfs)
    }

    /// One with the folders that a program of Debian wants, for `/usr` of this machine to be mounted in it.
    pub fn of_machine() -> Self {
        let rootfs = Self(tempfile::Builder::new().prefix("kpol-rootfs-").tempdir().expect("a temporary folder"));
        for dir in ["dev", "etc", "proc", "run", "srv", "sys", "tmp", "usr", "var"] {
            std::fs::create_dir(rootfs.path().join(dir)).expect("a temporary folder");
        }
        for name in ["bin", "lib", "lib64", "sbin"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), rootfs.path().join(name)).expect("a temporary folder");
        }
        // Without it the loader looks in its own folders.
        let _ = std::fs::copy("/etc/ld.so.cache", rootfs.path().join("etc/ld.so.cache"));
        open_to_all(&rootfs);
        rootfs
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Runs a command in a new container that holds exactly the capabilities `caps`.
pub fn run(
    runtime: Runtime,
    rootfs: &Rootfs,
    seccomp: Seccomp<'_>,
    caps: &[&str],
    command: &[&str],
) -> Result<Output, Skip> {
    works(runtime)?;
    start(runtime, rootfs, &Process::new(seccomp, caps, command))
}

/// [`run`] as another user; without capabilities, which the kernel takes from them anyway.
pub fn run_as(
    uid: u32,
    runtime: Runtime,
    rootfs: &Rootfs,
    seccomp: Seccomp<'_>,
    command: &[&str],
) -> Result<Output, Skip> {
    works(runtime)?;
    open_to_all(rootfs);
    start(runtime, rootfs, &Process { uid, ..Process::new(seccomp, &[], command) })
}

/// Starts a server in a container of crun's that shares the machine's network, and asks it for `/`. The command has to
/// write a line when it is ready, and to end when its input does. The answer is what the server sent.
///
/// # Panics
/// When the server does not come up: its complaints are shown.
pub fn serve(seccomp: Seccomp<'_>, command: impl Fn(u16) -> String) -> Result<String, Skip> {
    works(Runtime::Crun)?;
    let rootfs = Rootfs::new()?;
    std::fs::write(rootfs.path().join("tmp/index.html"), "served\n").expect("a temporary folder");
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = address.map_err(|error| Skip(format!("no loopback: {error}")))?;
    let script = command(address.port());
    let command = ["sh", "-c", &script];
    let process = Process { host_network: true, ..Process::new(seccomp, &[], &command) };
    let (mut runtime, _state) = prepare(Runtime::Crun, &rootfs, &process)?;
    let mut child = runtime
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Skip(format!("unshare: {error}")))?;
    let mut ready = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut ready).expect("a pipe");
    let mut answer = String::new();
    if !ready.is_empty() {
        let mut client = TcpStream::connect(address).expect("a server that says it is ready");
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a connection");
        client.read_to_string(&mut answer).expect("an answer");
    }
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("our child");
    assert!(!ready.is_empty(), "the server did not start: {}", String::from_utf8_lossy(&output.stderr));
    Ok(answer)
}

/// Starts a container of crun's or runc's under strace, and gives what strace wrote of `prctl` and `seccomp`.
pub fn traced(runtime: Runtime, rootfs: &Rootfs, seccomp: Seccomp<'_>) -> Result<(Output, String), Skip> {
    works(runtime)?;
    let strace = program("strace")?;
    let process = Process::new(seccomp, &[], &["true"]);
    let (line, state) = line(runtime, rootfs, &process)?;
    let trace = state.path().join("trace");
    let mut command = surroundings(state.path())?;
    command.arg(strace).args(["-f", "-v", "-qq", "-e", "trace=prctl,seccomp", "-e", "signal=none", "-o"]).arg(&trace);
    let output = output(command.args(&line))?;
    Ok((output, String::from_utf8_lossy(&std::fs::read(&trace).unwrap_or_default()).into_owned()))
}

/// A folder of the machine, and where it is in the container, to be read.
pub type Mount = (PathBuf, &'static str);

/// What runs in a container, and how.
pub(crate) struct Process<'a> {
    pub(crate) seccomp: Seccomp<'a>,
    pub(crate) caps: &'a [&'a str],
    pub(crate) command: &'a [&'a str],
    pub(crate) env: &'a [&'a str],
    pub(crate) mounts: &'a [Mount],
    pub(crate) uid: u32,
    pub(crate) host_network: bool,
    pub(crate) no_new_privileges: bool,
    pub(crate) terminal: bool,
}

impl<'a> Process<'a> {
    pub(crate) fn new(seccomp: Seccomp<'a>, caps: &'a [&'a str], command: &'a [&'a str]) -> Self {
        Self {
            seccomp,
            caps,
            command,
            env: &["PATH=/bin"],
            mounts: &[],
            uid: 0,
            host_network: false,
            no_new_privileges: true,
            terminal: false,
        }
    }
}

/// How a program comes into a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// `run`, in one step.
    Run,
    /// `create` and `start`, as conmon and containerd's shim do.
    CreateStart,
    /// `exec`, into one that runs: health checks come so.
    Exec,
}

/// One way to start a program in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starter {
    /// By whom.
    pub runtime: Runtime,
    /// In which steps.
    pub how: How,
    /// As which user.
    pub uid: u32,
    /// Whether the filter is the last but one step, or comes before another user and fewer capabilities.
    pub no_new_privileges: bool,
    /// Whether the program has a terminal.
    pub terminal: bool,
}

impl Starter {
    /// All of them, those with most to do under the filter first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for no_new_privileges in [false, true] {
            for uid in [1000, 0] {
                for how in [How::CreateStart, How::Exec, How::Run] {
                    for runtime in Runtime::ALL {
                        // conmon creates and starts for podman in any case, and `exec` needs no terminal to be tried with one.
                        let steps = runtime != Runtime::Podman || how != How::CreateStart;
                        for terminal in [false, true].into_iter().filter(|terminal| !terminal || how == How::Run) {
                            if steps {
                                all.push(Self { runtime, how, uid, no_new_privileges, terminal });
                            }
                        }
                    }
                }
            }
        }
        all
    }

    /// Runs `command` in a new container. Its output is what command and runtime wrote, on one stream where there is a terminal.
    pub fn start(self, rootfs: &Rootfs, seccomp: Seccomp<'_>, command: &[&str]) -> Result<Output, Skip> {
        works(self.runtime)?;
        open_to_all(rootfs);
        let Self { runtime, how, uid, no_new_privileges, terminal } = self;
        let process = Process { uid, no_new_privileges, terminal, ..Process::new(seccomp, &[], command) };
        // What stays in the container while others come by `exec`: it waits for a writer of a pipe, which takes no call that starting
        // does not take.
        let stay = Process { command: &["cat", "/wait"], terminal: false, ..process };
        if how == How::Exec {
            let made = Command::new(program("mkfifo")?).args(["-m", "666"]).arg(rootfs.path().join("wait")).status();
            assert!(made.expect("mkfifo").success());
        }
        let (line, state) = line(runtime, rootfs, if how == How::Exec { &stay } else { &process })?;
        let mut all = surroundings(state.path())?;
        all.env("STATE", state.path());
        match how {
            How::Run if terminal => {
                let quoted: Vec<String> = line.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect();
                all.arg(program("script")?).args(["-qec", &quoted.join(" "), "/dev/null"]);
            }
            How::Run => {
                all.args(&line);
            }
            How::CreateStart | How::Exec if runtime != Runtime::Podman => {
                // All before `run`, which has the bundle and the name behind it.
                let steps = line.iter().position(|word| word == "run").expect("the line runs");
                let script = if how == How::Exec { EXEC } else { CREATE_START };
                all.args(["sh", "-c", script, "sh"]).arg(steps.to_string()).args(&line).args(command);
            }
            How::CreateStart | How::Exec => {
                let steps = line.iter().position(|word| word == "run").expect("the line runs");
                all.args(["sh", "-c", PODMAN_EXEC, "sh"]).arg(steps.to_string()).args(&line).arg("--").args(command);
            }
        }
        output(&mut all)
    }
}

/// `create`, `start`, and the end of the program. `$1` counts the words before `run`; `run --bundle B NAME` is behind them.
const CREATE_START: &str = r#"
    steps=$1; shift; runtime=; i=0
    while [ $i -lt $steps ]; do runtime="$runtime $1"; shift; i=$((i + 1)); done
    bundle=$3; name=$4
    if $runtime create --pid-file "$STATE/pid" --bundle "$bundle" "$name" </dev/null >"$STATE/out" 2>&1; then
        $runtime start "$name" 2>&1
        tail -s 0.02 --pid="$(cat "$STATE/pid")" -f /dev/null
    fi
    cat "$STATE/out"; $runtime delete -f "$name" >/dev/null 2>&1"#;

/// `run` in the background, and `exec`.
const EXEC: &str = r#"
    steps=$1; shift; runtime=; i=0
    while [ $i -lt $steps ]; do runtime="$runtime $1"; shift; i=$((i + 1)); done
    bundle=$3; name=$4; shift 4
    if $runtime run -d --bundle "$bundle" "$name" </dev/null >"$STATE/out" 2>&1; then
        $runtime exec "$name" "$@" </dev/null 2>&1
    fi
    cat "$STATE/out"; $runtime delete -f "$name" >/dev/null 2>&1"#;

/// The same by podman, whose options stand behind `run`; behind a health check of its own, which has to succeed.
const PODMAN_EXEC: &str = r#"
    steps=$1; shift; podman=; i=0
    while [ $i -lt $steps ]; do podman="$podman $1"; shift; i=$((i + 1)); done
    shift; run=
    while [ "$1" != -- ]; do run="$run $1"; shift; done
    shift
    if $podman run -d --health-cmd '["echo", "well"]' --health-interval disable --name here $run >"$STATE/out" 2>&1; then
        $podman healthcheck run here >>"$STATE/out" 2>&1 && $podman exec here "$@" 2>&1
    fi
    cat "$STATE/out"; $podman rm -f -t 0 here >/dev/null 2>&1"#;

/// Another user than root may run what is in it.
fn open_to_all(rootfs: &Rootfs) {
    use std::os::unix::fs::PermissionsExt;
    for (folder, mode) in [(rootfs.path().to_owned(), 0o755), (rootfs.path().join("tmp"), 0o1777)] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).expect("our folder");
    }
}

/// Makes calls in a container, as the probe does elsewhere. The container's own filter must let the probe live: it
/// needs fork, clone, mmap, prctl, seccomp, rt_sigaction, wait4, futex, alarm and write.
pub fn calls(
    runtime: Runtime,
    rootfs: &Rootfs,
    seccomp: Seccomp<'_>,
    caps: &[&str],
    calls: &[Call],
) -> Result<Vec<Outcome>, Skip> {
    let jobs = [Job::new(&always(Action::Allow), calls)];
    std::fs::write(rootfs.path().join("jobs"), write_jobs(&jobs)).expect("a temporary folder");
    let output = run(runtime, rootfs, seccomp, caps, &["/bin/probe", "/jobs"])?;
    assert!(output.success(), "the probe failed in its container: {output:?}");
    Ok(read_outcomes(&jobs, &output.stdout).remove(0))
}

/// Whether a runtime can start containers here at all, tried once. A machine without the right privileges or cgroups
/// is no failure of what is tested.
pub(crate) fn works(runtime: Runtime) -> Result<(), Skip> {
    static WORKS: [OnceLock<Result<(), Skip>>; 3] = [const { OnceLock::new() }; 3];
    WORKS[runtime as usize]
        .get_or_init(|| {
            need_root()?;
            let output = start(runtime, &Rootfs::new()?, &Process::new(Seccomp::Unconfined, &[], &["true"]))?;
            if output.success() {
                Ok(())
            } else {
                Err(Skip(format!("{} can't start containers here: {}", runtime.name(), output.stderr.trim())))
            }
        })
        .clone()
}

fn start(runtime: Runtime, rootfs: &Rootfs, process: &Process<'_>) -> Result<Output, Skip> {
    let (mut command, _state) = prepare(runtime, rootfs, process)?;
    output(&mut command)
}

/// A shell that may not end complains about it without end: after so many bytes the container is killed.
const MAX_OUTPUT: u64 = 1 << 20;

fn output(command: &mut Command) -> Result<Output, Skip> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Skip(format!("unshare: {error}")))?;
    let read = |stream: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        // What cannot be read is not there.
        let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
        bytes
    };
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (stdout, stderr) = std::thread::scope(|scope| {
        let stderr = scope.spawn(|| {
            let bytes = read(&mut err);
            // Closed, it ends whoever goes on writing.
            drop(err);
            bytes
        });
        let stdout = read(&mut out);
        drop(out);
        (stdout, stderr.join().expect("it reads"))
    });
    if (stdout.len().max(stderr.len())) as u64 >= MAX_OUTPUT {
        // With the first process of its namespace all of the container ends.
        child.kill().expect("our child");
    }
    let status = child.wait().expect("our child");
    Ok(Output {
        status: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

/// The command that runs what is behind it where a runtime finds cgroups as it wants them, whatever the machine has. It keeps
/// its files in a folder.
pub fn surroundings(state: &Path) -> Result<Command, Skip> {
    const OWN_CGROUP: &str = r#"
        if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
            umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 125
        fi
        exec "$@""#;
    let mut command = Command::new(program("unshare")?);
    // With a process namespace of its own all that the runtime leaves behind ends with it: podman's monitor would
    // otherwise clean up later, and make the folder anew that is removed here.
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", OWN_CGROUP, "sh"]);
    command.env("XDG_RUNTIME_DIR", state);
    Ok(command)
}

/// The command that starts the container, and the folder that must outlive it.
fn prepare(runtime: Runtime, rootfs: &Rootfs, process: &Process<'_>) -> Result<(Command, TempDir), Skip> {
    let (line, state) = line(runtime, rootfs, process)?;
    let mut command = surroundings(state.path())?;
    command.args(&line);
    Ok((command, state))
}

/// The runtime's command line, and its folder.
pub(crate) fn line(runtime: Runtime, rootfs: &Rootfs, process: &Process<'_>) -> Result<(Vec<OsString>, TempDir), Skip> {
    let state = tempfile::Builder::new().prefix("kpol-container-").tempdir().expect("a temporary folder");
    let mut line: Vec<OsString> = vec![program(runtime.name())?.into()];
    match runtime {
        Runtime::Crun | Runtime::Runc => {
            let config = config(runtime, rootfs, process)?;
            std::fs::write(state.path().join("config.json"), config.to_string()).expect("a temporary folder");
            if runtime == Runtime::Crun {
                line.push("--cgroup-manager=disabled".into());
            }
            line.extend([OsString::from("--root"), state.path().join("state").into()]);
            line.extend(["run".into(), "--bundle".into(), state.path().into()]);
            line.push(state.path().file_name().expect("made with a name").into());
        }
        Runtime::Podman => line.extend(podman(&state, rootfs, process)?),
    }
    Ok((line, state))
}

/// The arguments of podman; no bridge, no cgroup, no limit that a small machine would refuse.
fn podman(state: &TempDir, rootfs: &Rootfs, process: &Process<'_>) -> Result<Vec<OsString>, Skip> {
    let &Process { seccomp, caps, command, env, mounts, uid, host_network, no_new_privileges, terminal } = process;
    program("crun")?;
    let option = match seccomp {
        Seccomp::Unconfined => "seccomp=unconfined".into(),
        Seccomp::Bpf(_) => return Err(Skip("podman takes no raw filter".into())),
        Seccomp::Profile(profile) => {
            let file: PathBuf = state.path().join("profile.json");
            std::fs::write(&file, profile).expect("a temporary folder");
            format!("seccomp={}", file.display())
        }
    };
    let mut line: Vec<OsString> = ["--cgroup-manager=cgroupfs", "--runtime", "crun", "--storage-driver", "vfs"]
        .into_iter()
        .map(OsString::from)
        .collect();
    for (option, folder) in [("--root", "root"), ("--runroot", "runroot"), ("--tmpdir", "tmp")] {
        line.extend([option.into(), state.path().join(folder).into()]);
    }
    let network = if host_network { "host" } else { "none" };
    line.extend(["run", "--rm", "--cgroups=disabled", "--network", network].map(OsString::from));
    line.extend(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"].map(OsString::from));
    line.extend(["--cap-drop=ALL".into(), "--security-opt".into(), option.into()]);
    line.extend(caps.iter().map(|cap| format!("--cap-add={cap}").into()));
    line.extend(env.iter().map(|variable| format!("--env={variable}").into()));
    line.extend(mounts.iter().map(|(folder, there)| format!("--volume={}:{there}:ro", folder.display()).into()));
    line.push(format!("--user={uid}:{uid}").into());
    if no_new_privileges {
        line.extend(["--security-opt".into(), "no-new-privileges".into()]);
    }
    if terminal {
        line.push("--tty".into());
    }
    line.extend(["--rootfs".into(), rootfs.path().into()]);
    line.extend(command.iter().map(OsString::from));
    Ok(line)
}

/// `config.json` of a small container (`config.md` and `config-linux.md` of the OCI runtime specification).
fn config(runtime: Runtime, rootfs: &Rootfs, process: &Process<'_>) -> Result<Value, Skip> {
    let &Process { seccomp, caps, command, env, mounts, uid, host_network, no_new_privileges, terminal } = process;
    let mut namespaces: Vec<_> = ["pid", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind })).into();
    if !host_network {
        namespaces.push(json!({ "type": "network" }));
    }
    let mut config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": terminal,
            "user": { "uid": uid, "gid": uid, "additionalGids": [uid + 1] },
            "args": command,
            "env": env,
            "cwd": "/",
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            "noNewPrivileges": no_new_privileges,
        },
        "root": { "path": rootfs.path(), "readonly": false },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777"] },
        ],
        "linux": { "namespaces": namespaces },
    });
    for (folder, there) in mounts {
        let mount = json!({ "destination": there, "type": "bind", "source": folder, "options": ["rbind", "ro"] });
        config["mounts"].as_array_mut().expect("an array").push(mount);
    }
    match seccomp {
        Seccomp::Unconfined => {}
        Seccomp::Profile(profile) => {
            let mut node = Node::new(native()?);
            node.caps = caps.iter().map(|&cap| cap.to_owned()).collect();
            // A profile that no engine takes is a mistake of the test: podman is the one to show refusals with.
            config["linux"]["seccomp"] = to_oci(profile, &node).expect("a profile");
        }
        Seccomp::Bpf(_) if runtime != Runtime::Crun => {
            return Err(Skip(format!("{} takes no raw filter", runtime.name())));
        }
        Seccomp::Bpf(filter) => config["annotations"] = json!({ "run.oci.seccomp_bpf_data": base64(filter) }),
    }
    Ok(config)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| chunk.get(at).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= chunk.len() { DIGITS[value as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(super::base64(plain.as_bytes()), encoded);
        }
    }
}
