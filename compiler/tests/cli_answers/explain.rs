//! `kpolc explain`: what there is to know of a name, before a policy is written.

use super::*;

fn explained(word: &str) -> String {
    let answer = kpolc(Path::new("."), &["explain", word]);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{word}");
    // Lines are filled for the terminal.
    answer.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn calls_constants_groups_and_files_have_pages() {
    for (word, facts) in [
        (
            "sendto",
            &[
                "sendto(int fd, void *buff, size_t len,",
                "44 on x86_64, x32",
                "206 on aarch64, riscv64, loongarch64",
                "`int fd`: the kernel looks at 32 bits, signed",
                "A filter sees the address in `buff`, `addr`, never what it points to.",
                "reached by `socketcall` as well",
                "`@effect-connect`: `sendto(flags & MSG_FASTOPEN)`",
                "`@network-io`: ",
            ][..],
        ),
        ("statx", &["Since Linux 4.11; libseccomp knows the name from"]),
        ("O_DIRECT", &["65536 (0x10000) on aarch64, arm, m68k", "`asm/fcntl.h`", "`flags` of `open`,"]),
        ("ENOSYS", &["89 (0x59) on mips", "deny(ENOSYS)"]),
        ("@mount", &["Changes what is mounted where", "`fsconfig`"]),
        ("@effect-connect", &["sendto(flags & MSG_FASTOPEN)"]),
        ("<guard/default>", &["AF_ALG stays shut", "allow { @system-service except"]),
        ("base/runtime", &["It includes "]),
        ("mount", &["165 on x86_64", "There is the group `@mount` too"]),
        ("E031", &["unknown parameter"]),
        ("dead-rule", &["W012"]),
    ] {
        let said = explained(word);
        for fact in facts {
            assert!(said.contains(fact), "{word}: {fact}: {said}");
        }
    }
}

#[test]
fn a_name_that_is_nothings_gets_near_ones_of_every_kind() {
    for (word, near) in [
        ("sokcet", "did you mean `socket`"),
        ("AF_ALGG", "did you mean `AF_ALG`?"),
        ("netwrk-io", "did you mean `@network-io`?"),
        ("base/runtim", "did you mean `<base/runtime>`?"),
        ("E99", "did you mean `E099`"),
        ("zzzzzzzzzz", "lists the codes"),
    ] {
        let answer = kpolc(Path::new("."), &["explain", word]);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{word}");
        assert!(answer.err.contains(near), "{word}: {}", answer.err);
    }
}

#[test]
fn programs_get_the_same_facts_as_data() {
    let of = |word: &str| -> serde_json::Value {
        let answer = kpolc(Path::new("."), &["explain", word, "--format", "json"]);
        serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{word}: {}", answer.err))
    };
    let call = of("sendto");
    assert_eq!((&call["numbers"]["x86_64"], &call["parameters"][3]["bits"]), (&44.into(), &32.into()));
    assert_eq!(call["parameters"][1]["address"], true);
    assert_eq!(of("AT_FDCWD")["values"]["aarch64"], -100);
    assert_eq!(of("@mount")["kind"], "group");
    assert_eq!(of("guard/default")["asserts"][0]["file"], "guard/default");
    assert_eq!(of("E031")["kind"], "code");
    assert_eq!(kpolc(Path::new("."), &["explain", "sendto", "--format", "sarif"]).status, 2);
}
