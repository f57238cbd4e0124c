//! Numbers of calls, from the headers that the kernel exports, as the C preprocessor sees them.
//!
//! ```text
//! <asm/unistd_n32.h>   #define __NR_read (__NR_Linux + 0)     →  read is 6000 on mips64n32
//! ```
//!
//! Debian has the headers of every architecture in packages for cross compilers (`tests/setup.sh`). LoongArch has none there: it
//! counts by `asm-generic/unistd.h` alone, and wants two old calls of it (`arch/loongarch/include/uapi/asm/unistd.h`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::abi::Abi;
use crate::skip::Skip;

/// The folder of a machine's headers below `/usr`, the header, and macros to be defined.
fn header(abi: Abi) -> (&'static str, &'static str, &'static [&'static str]) {
    match abi {
        Abi::X86_64 => ("include/x86_64-linux-gnu", "asm/unistd_64.h", &[]),
        Abi::X86 => ("include/x86_64-linux-gnu", "asm/unistd_32.h", &[]),
        Abi::X32 => ("include/x86_64-linux-gnu", "asm/unistd_x32.h", &["__X32_SYSCALL_BIT=0x40000000"]),
        Abi::Aarch64 => ("aarch64-linux-gnu/include", "asm/unistd.h", &[]),
        Abi::Arm => ("arm-linux-gnueabi/include", "asm/unistd.h", &["__ARM_EABI__"]),
        Abi::Riscv64 => ("riscv64-linux-gnu/include", "asm/unistd.h", &[]),
        Abi::S390x => ("s390x-linux-gnu/include", "asm/unistd_64.h", &[]),
        Abi::S390 => ("s390x-linux-gnu/include", "asm/unistd_32.h", &[]),
        Abi::Ppc64le | Abi::Ppc64 => ("powerpc-linux-gnu/include", "asm/unistd_64.h", &[]),
        Abi::Ppc => ("powerpc-linux-gnu/include", "asm/unistd_32.h", &[]),
        Abi::Loongarch64 => {
            ("riscv64-linux-gnu/include", "asm-generic/unistd.h", &["__ARCH_WANT_SYS_CLONE", "__ARCH_WANT_SYS_CLONE3"])
        }
        Abi::Mips | Abi::Mipsel => ("mips-linux-gnu/include", "asm/unistd_o32.h", &["__NR_Linux=4000"]),
        Abi::Mips64 | Abi::Mipsel64 => ("mips-linux-gnu/include", "asm/unistd_n64.h", &["__NR_Linux=5000"]),
        Abi::Mips64n32 | Abi::Mipsel64n32 => ("mips-linux-gnu/include", "asm/unistd_n32.h", &["__NR_Linux=6000"]),
        Abi::M68k => ("m68k-linux-gnu/include", "asm/unistd_32.h", &[]),
        Abi::Parisc => ("hppa-linux-gnu/include", "asm/unistd_32.h", &[]),
        Abi::Parisc64 => ("hppa-linux-gnu/include", "asm/unistd_64.h", &[]),
        Abi::Sh => ("sh4-linux-gnu/include", "asm/unistd_32.h", &[]),
    }
}

/// The calls of an ABI.
///
/// # Errors
/// No such header.
pub fn of(abi: Abi) -> Result<BTreeMap<String, u32>, Skip> {
    let (folder, header, macros) = header(abi);
    let folder = Path::new("/usr").join(folder);
    if !folder.join("asm/unistd.h").is_file() {
        return Err(Skip(format!("no headers of {}: {} (tests/setup.sh installs them)", abi.name(), folder.display())));
    }
    let output = Command::new("cc")
        .args(["-E", "-dM", "-nostdinc", "-D__LP64__"])
        .args(macros.iter().map(|name| format!("-D{name}")))
        .arg("-isystem")
        .arg(&folder)
        // Headers of the machine itself have what is common elsewhere.
        .args(["-isystem", "/usr/include", "-include", header, "-x", "c", "/dev/null"])
        .output()
        .map_err(|error| Skip(format!("cc: {error}")))?;
    if !output.status.success() {
        return Err(Skip(format!("cc finds no <{header}>: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let mut found = read(&String::from_utf8_lossy(&output.stdout));
    if abi == Abi::Parisc64 {
        // Debian 12's headers are of 6.1. Since then the 64-bit ABI has lost it (arch/parisc/kernel/syscalls/syscall.tbl).
        found.remove("_llseek");
    }
    if found.len() < 250 { Err(Skip(format!("<{header}> has only {} calls", found.len()))) } else { Ok(found) }
}

fn read(text: &str) -> BTreeMap<String, u32> {
    let macros: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' ')).collect();
    let mut found = BTreeMap::new();
    for (name, body) in &macros {
        // Calls that ARM alone has go by another prefix.
        let Some(call) = name.strip_prefix("__NR_").or_else(|| name.strip_prefix("__ARM_NR_")) else { continue };
        // A second name of a call; but `__NR3264_fcntl` stands for a number.
        let second = body.starts_with("__NR_");
        let not_calls = ["Linux", "syscalls", "arch_specific_syscall", "syscall_count", "BASE", "SYSCALL_BASE"];
        if !second
            && !not_calls.contains(&call)
            && let Some(number) = sum(body, &macros, 8)
        {
            found.insert(call.to_owned(), number);
        }
    }
    found
}

/// A number, a name of one, or a sum of the two in parentheses.
fn sum(body: &str, macros: &BTreeMap<&str, &str>, depth: usize) -> Option<u32> {
    let body = body.trim().trim_matches(['(', ')']);
    if let Some((one, two)) = body.split_once('+') {
        return Some(sum(one, macros, depth)? + sum(two, macros, depth)?);
    }
    if let Some(hex) = body.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    let other = macros.get(body).filter(|_| depth > 0);
    body.parse().ok().or_else(|| sum(other?, macros, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_through_macros() {
        let text = "#define __NR_Linux 6000\n#define __NR_read (__NR_Linux + 0)\n#define __NR3264_fcntl 25\n#define __NR_fcntl __NR3264_fcntl\n\
                    #define __NR_syscalls 451\n#define __NR_b __NR_read\n#define __ARM_NR_BASE (__NR_SYSCALL_BASE+0x0f0000)\n\
                    #define __NR_SYSCALL_BASE 0\n#define __ARM_NR_set_tls (__ARM_NR_BASE+5)\n";
        let expected = [("fcntl", 25), ("read", 6000), ("set_tls", 0xf0005)];
        assert_eq!(read(text), expected.map(|(name, number)| (name.to_owned(), number)).into());
    }
}
