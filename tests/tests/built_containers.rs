//! Our products in real containers: every example starts a shell, and what it denies fails inside.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use kpol_compiler::driver::Format::{Bpf, Json};
use kpol_compiler::driver::Options;
use kpol_tests::containers::{Output, Rootfs, Runtime, Seccomp, run, run_as, serve};
use kpol_tests::policy::{EXAMPLES, example, text, with_options};
use kpol_tests::skip::or_skip;
use kpol_tests::{Skip, kernel};

/// Something of a shell's life: a pipe, a child, a file.
const SHELL: &[&str] = &["sh", "-c", "echo one | cat >/tmp/file && cat /tmp/file && ls /tmp"];

fn fresh(runtime: Runtime, seccomp: Seccomp<'_>, caps: &[&str], command: &[&str]) -> Result<Output, Skip> {
    run(runtime, &Rootfs::new()?, seccomp, caps, command)
}

/// Every road: the profile in each runtime, the filter by crun's annotation.
fn everywhere(name: &str, json: &str, bpf: &[u8], caps: &[&str], command: &[&str], look: impl Fn(&Output)) {
    for runtime in Runtime::ALL {
        if let Some(output) = or_skip(fresh(runtime, Seccomp::Profile(json), caps, command)) {
            eprintln!("{name}, {runtime:?}: {output:?}");
            look(&output);
        }
    }
    if let Some(output) = or_skip(fresh(Runtime::Crun, Seccomp::Bpf(bpf), caps, command)) {
        eprintln!("{name}, the filter: {output:?}");
        look(&output);
    }
}

#[test]
fn a_shell_runs_under_every_example() {
    if or_skip(kernel::native()).is_none() {
        return;
    }
    for name in EXAMPLES {
        let built = example(name, Some(&[]), &[Json, Bpf]);
        everywhere(name, built.json(), &built.bpf().to_bytes(), &[], SHELL, |output| {
            assert_eq!((output.status, output.stdout.as_str()), (Some(0), "one\nfile\n"), "{name}: {output:?}");
        });
    }
}

#[test]
fn a_shell_of_another_user_runs_under_every_example() {
    for name in EXAMPLES {
        let built = example(name, Some(&[]), &[Json]);
        for runtime in Runtime::ALL {
            let ran = Rootfs::new().and_then(|rootfs| {
                let command = ["sh", "-c", "id -u; echo own >/tmp/own && cat /tmp/own"];
                run_as(1000, runtime, &rootfs, Seccomp::Profile(built.json()), &command)
            });
            let Some(output) = or_skip(ran) else { continue };
            assert_eq!(
                (output.status, output.stdout.as_str()),
                (Some(0), "1000\nown\n"),
                "{name} {runtime:?} {output:?}"
            );
        }
    }
}

/// Each fails by the filter, not for want of a right: under `audit`, which only logs, the same container may do it.
#[test]
fn what_the_examples_deny_fails_inside_with_their_errno() {
    let mount: &[&str] = &["mount", "-t", "tmpfs", "none", "/tmp"];
    let unshare: &[&str] = &["busybox", "unshare", "-u", "true"];
    let caps = &["CAP_SYS_ADMIN", "CAP_MKNOD"];
    for (name, command, message) in [
        ("hardened", mount, "permission denied (are you root?)"),
        ("hardened", unshare, "Operation not permitted"),
        ("web-server", mount, "permission denied (are you root?)"),
        ("web-server", &["busybox", "ln", "-s", "a", "/tmp/b"], "Operation not permitted"),
        ("batch-job", &["busybox", "wget", "-O-", "http://127.0.0.1/"], "Address family not supported"),
        ("batch-job", &["busybox", "mknod", "/tmp/null", "c", "1", "3"], "Operation not permitted"),
        ("go-service", unshare, "Operation not permitted"),
    ] {
        let free = example("audit", Some(&[]), &[Json]);
        let Some(output) = or_skip(fresh(Runtime::Crun, Seccomp::Profile(free.json()), caps, command)) else { return };
        assert!(
            output.success() || output.stderr.contains("onnection refused") || output.stderr.contains("unreachable"),
            "{output:?}"
        );
        let built = example(name, Some(&[]), &[Json, Bpf]);
        everywhere(name, built.json(), &built.bpf().to_bytes(), caps, command, |output| {
            assert_ne!(output.status, Some(0), "{name} {command:?} {output:?}");
            assert!(output.stderr.contains(message), "{name} {command:?} {output:?}");
        });
    }
}

/// `when cap` stays a condition in JSON, which podman settles by what the container holds.
#[test]
fn a_condition_on_a_capability_follows_the_container() {
    const POLICY: &str = "default allow\ndeny(ENOTSUP) { mount, umount2, fsopen, fsmount, move_mount, fsconfig }
        when cap CAP_SYS_ADMIN { override allow { mount, umount2, fsopen, fsmount, move_mount, fsconfig } }";
    let built = with_options(POLICY, &Options::default(), &[Json]).unwrap();
    assert!(built.json().contains("CAP_SYS_ADMIN"), "{}", built.json());
    let mount = ["mount", "-t", "tmpfs", "none", "/tmp"];
    for runtime in Runtime::ALL {
        let Some(without) = or_skip(fresh(runtime, Seccomp::Profile(built.json()), &[], &mount)) else { continue };
        assert!(without.stderr.contains("not supported"), "{runtime:?} {without:?}");
        let with = fresh(runtime, Seccomp::Profile(built.json()), &["CAP_SYS_ADMIN"], &mount).unwrap();
        assert!(with.success(), "{runtime:?} {with:?}");
    }
}

#[test]
fn a_policy_of_a_few_lines_is_enforced_by_every_runtime() {
    let built =
        text("default allow\ndeny(ENOSPC) { mkdir, mkdirat }\nkill { symlink, symlinkat }", &[Json, Bpf]).unwrap();
    let bytes = built.bpf().to_bytes();
    everywhere("mkdir", built.json(), &bytes, &[], &["mkdir", "/tmp/new"], |output| {
        assert_eq!(output.status, Some(1), "{output:?}");
        assert!(output.stderr.contains("No space left on device"), "{output:?}");
    });
    // SIGSYS is 31.
    let command = ["sh", "-c", "busybox ln -s a /tmp/b; echo $?"];
    everywhere("symlink", built.json(), &bytes, &[], &command, |output| {
        assert_eq!(output.stdout, "159\n", "{output:?}");
    });
}

/// busybox' httpd binds, goes to the background and forks for each request within the profile. The client is outside:
/// the profile lets nobody call out.
#[test]
fn a_web_server_serves_under_its_profile() {
    let built = example("web-server", Some(&[]), &[Json, Bpf]);
    let bytes = built.bpf().to_bytes();
    // httpd binds before it goes to the background; `cat` keeps the container until the test has what it wants.
    let script = |port| format!("busybox httpd -h /tmp -p 127.0.0.1:{port} && echo ready && cat");
    for seccomp in [Seccomp::Profile(built.json()), Seccomp::Bpf(&bytes)] {
        let Some(answer) = or_skip(serve(seccomp, script)) else { return };
        assert!(answer.contains(" 200 OK") && answer.ends_with("served\n"), "{answer}");
    }
    let calls_out = ["busybox", "nc", "127.0.0.1", "80"];
    everywhere("web-server", built.json(), &bytes, &[], &calls_out, |output| {
        assert!(output.stderr.contains("Operation not permitted"), "{output:?}");
    });
}
