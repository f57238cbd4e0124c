//! What `kpolc build --emit c,dot` makes, in the hands of those it is made for: C and C++ compilers, the kernel,
//! Graphviz.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use kpol_compiler::driver::{Format, Options, build};
use kpol_compiler::source::Memory;
use kpol_tests::kernel;
use kpol_tests::skip::{or_skip, program};

const POLICY: &str = "flags { log }\ndefault allow\n\
    deny(EXDEV) { getppid }\ndeny(EDOM) { socket(family == AF_ALG) }\ndeny(ERANGE) { lseek(whence in {3, 4}) }\n";

fn product(name: &str, policy: &str, format: Format) -> String {
    let mut memory = Memory::default();
    memory.insert(name, policy.as_bytes());
    let (checked, products) = build(&memory, Path::new(name), &Options::default(), &[format]);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    String::from_utf8(products[0].bytes.clone()).unwrap()
}

/// As a program would use it: the header's own instructions, then one call for each rule.
const PROGRAM: &str = r#"
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "web.h"
#include "web.h"

int main(void) {
    struct sock_fprog program = { WEB_FILTER_LENGTH, (struct sock_filter *)web_filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, WEB_FILTER_FLAGS, &program)) {
        perror("install");
        return 2;
    }
    errno = 0;
    int parent = syscall(SYS_getppid) == -1 && errno == EXDEV;
    int crypto = syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0) == -1 && errno == EDOM;
    int data = syscall(SYS_lseek, -1, 0L, 3) == -1 && errno == ERANGE;
    int start = syscall(SYS_lseek, -1, 0L, 0) == -1 && errno == EBADF;
    printf("%d %d %d %d\n", parent, crypto, data, start);
    return 0;
}
"#;

#[test]
fn a_header_compiles_without_a_word_and_its_filter_holds() {
    if or_skip(kernel::native()).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("web.h"), product("web.kpol", POLICY, Format::C)).unwrap();
    fs::write(folder.path().join("main.c"), PROGRAM).unwrap();
    fs::write(
        folder.path().join("unused.c"),
        "#include \"web.h\"\nint nothing(void);\nint nothing(void) { return 0; }\n",
    )
    .unwrap();
    let strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-Wno-unused-parameter"];
    for (compiler, dialects) in [("cc", ["-std=gnu99", "-std=gnu17"]), ("c++", ["-std=gnu++11", "-std=gnu++20"])] {
        let Some(path) = or_skip(program(compiler)) else { continue };
        for dialect in dialects {
            for source in ["main.c", "unused.c"] {
                let mut command = Command::new(&path);
                command.current_dir(&folder).args(strict).arg(dialect);
                command.args(if compiler == "c++" { ["-x", "c++"] } else { ["-x", "c"] });
                let output = command.args(["-c", source, "-o", "out.o"]).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.is_empty(), "{compiler} {dialect} {source}:\n{said}");
            }
        }
    }
    let Some(cc) = or_skip(program("cc")) else { return };
    let built = Command::new(cc).current_dir(&folder).args(["main.c", "-o", "main"]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(folder.path().join("main")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "1 1 1 1\n", "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn graphviz_draws_every_graph() {
    let Some(dot) = or_skip(program("dot")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let hostile = "\"]; } digraph b { a -> \\".to_owned() + ".kpol";
    for (name, policy) in [
        ("web.kpol", POLICY),
        (hostile.as_str(), POLICY),
        (
            "wide.kpol",
            "default deny\nallow { execve, ioctl(cmd & 0x5555 == 0x1111 || reg0 > 0x1_0000_0000), read(count % 2 == 0) }\n",
        ),
        ("env.kpol", "default deny\nallow { execve }\nwhen cap CAP_SYS_ADMIN && kernel >= 5.11 { allow { mount } }\n"),
    ] {
        let policy = policy.replace(", read(count % 2 == 0)", ", read(count & 1 == 0)");
        let graph = product(name, &policy, Format::Dot);
        let path = folder.path().join("graph.dot");
        fs::write(&path, &graph).unwrap();
        let drawn = Command::new(&dot).args(["-Tsvg", "graph.dot"]).current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&drawn.stderr);
        assert!(drawn.status.success() && said.is_empty(), "{name}: {said}\n{graph}");
        let picture = String::from_utf8(drawn.stdout).unwrap();
        assert!(picture.contains("all other calls") && picture.contains("</svg>"), "{name}");
    }
}
