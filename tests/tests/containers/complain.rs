//! `build --complain` in real containers: what the policy refuses runs there, and what gets ENOSYS still does.

use kpol_compiler::driver::{Format::Json, Options};
use kpol_tests::policy::{call, with_options};

use super::*;

const POLICY: &str = "default deny(EPERM)\ninclude <base/runtime>\ninclude <guard/default>\n\
    allow { getgid, getuid, prctl(option in {PR_GET_NAME, PR_SET_NAME}) }\ndeny(ENOSYS) { clone3 }\n\
    kill { ptrace }\nassert \"makes no folders\" { refused { mkdir, mkdirat } }\n";

#[test]
fn a_container_with_guardrails_runs_on_under_the_file_that_complains() {
    let built = |complain| {
        let options = Options { complain, ..Options::default() };
        with_options(POLICY, &options, &[Json]).unwrap()
    };
    let (refuses, complains) = (built(false), built(true));
    for runtime in Runtime::ALL {
        let made = |json| fresh(runtime, Seccomp::Profile(json), &[], MKDIR);
        let Some(refused) = or_skip(made(refuses.json())) else { continue };
        assert_eq!(refused.status, Some(1), "{runtime:?} {refused:?}");
        assert!(refused.stderr.contains("Operation not permitted"), "{runtime:?} {refused:?}");
        let logged = made(complains.json()).unwrap();
        assert!(logged.success(), "{runtime:?} {logged:?}");
    }
    // A C library that is told ENOSYS calls `clone`, which the log then has.
    let Some(native) = or_skip(kernel::native()) else { return };
    let Some(rootfs) = or_skip(Rootfs::new()) else { return };
    let asked = ["clone3", "ptrace"].map(|name| call(native, name, &[u64::MAX, u64::MAX, 0]).unwrap());
    let outcomes = calls(Runtime::Crun, &rootfs, Seccomp::Profile(complains.json()), &[], &asked);
    let Some(outcomes) = or_skip(outcomes) else { return };
    // ptrace has an answer of the kernel's own: there is no such request.
    assert_eq!(outcomes[0], Outcome::Errno(38), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Errno(errno) if errno != 1), "{outcomes:?}");
}
