//! Profiles whose entries contradict each other: what the model knows has to be right, on every number, and what it does not
//! know it has to say.

use super::*;

/// Few calls, many entries, several actions: nearly all of them contradict each other somewhere.
fn contradictory(random: &mut Random, archs: &[Arch]) -> String {
    let archs: Vec<_> = archs.iter().map(|arch| format!("\"{}\"", arch.oci_name())).collect();
    let defaults = ["SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS"];
    let mut json = format!(
        r#"{{"defaultAction": "{}", "architectures": [{}], "syscalls": ["#,
        defaults[random.below(defaults.len())],
        archs.join(",")
    );
    let names = ["socket", "mmap", "read", "ipc", "open", "shmctl", "accept", "personality", "clone"];
    let few = 1 + random.below(names.len());
    let operators = [2, 3, 8][random.below(3)];
    for index in 0..2 + random.below(7) {
        let mut args = Vec::new();
        for _ in 0..[0, 1, 1, 1, 2, 3][random.below(6)] {
            let op = ["EQ", "MASKED_EQ", "NE", "LT", "GT", "GE", "LE", "EQ"][random.below(operators)];
            let value = [0u64, 1, 2, 3, 38, 0xffff_ffff, 1 << 32, 0x7e02_0000][random.below(8)];
            let two = [0, 1, value][random.below(3)];
            let arg = random.below(3);
            args.push(format!(r#"{{"index": {arg}, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{op}"}}"#));
        }
        let action = ["ALLOW", "LOG", "ERRNO", "KILL_PROCESS", "TRACE"][random.below(5)];
        let action = if action == "ERRNO" {
            r#""SCMP_ACT_ERRNO", "errnoRet": 38"#.to_owned()
        } else {
            format!("\"SCMP_ACT_{action}\"")
        };
        let comma = if index > 0 { "," } else { "" };
        let name = names[random.below(few)];
        write!(json, r#"{comma}{{"names": ["{name}"], "action": {action}, "args": [{}]}}"#, args.join(",")).unwrap();
    }
    json + "]}"
}

#[test]
fn outside_of_what_is_in_doubt_contradictory_profiles_are_what_the_library_makes_of_them() {
    let Some(library) = Libseccomp::open() else { return };
    let (mut known, mut doubtful, mut refused, mut profiles) = (0usize, 0usize, 0usize, 0usize);
    for (host, subs) in hosts() {
        let mut random = Random(0xc0a7 ^ (host as u64 + 1));
        for _ in 0..cases() {
            let archs = &subs[..random.below(subs.len() + 1)];
            let json = contradictory(&mut random, archs);
            let profile = read(json.as_bytes()).unwrap();
            let mut store = Store::default();
            let loaded = load(&mut store, &profile, host, Some(library.release_number()), Dialect::Containers).unwrap();
            let Some(program) = library.program(&profile, host) else {
                assert!(!loaded.doubts.is_empty(), "refused, and the model is sure: {json}");
                refused += 1;
                continue;
            };
            profiles += 1;
            let samples = samples(&mut random, &profile);
            for (&arch, table) in &loaded.function.tables {
                let named = profile.syscalls.iter().flat_map(|entry| &entry.names);
                let named: Vec<Nr> = named.filter_map(|name| tables::syscall(name)?.nr(arch)).collect();
                for nr in (0..500).map(|nr| if arch == Arch::X32 { Nr(nr | 0x4000_0000) } else { Nr(nr) }) {
                    let most = if named.contains(&nr) { samples.len() } else { 2 };
                    for args in &samples[..most] {
                        let args = if arch.bits() == 32 { args.map(|arg| arg & 0xffff_ffff) } else { *args };
                        let open = Environment::default();
                        if store.at(loaded.doubt(arch, nr), &open, &args) == Leaf::True {
                            doubtful += 1;
                            continue;
                        }
                        let real = Leaf::Act(execute(&program, arch, nr.0, &args));
                        assert_eq!(store.at(table.at(nr), &open, &args), real, "{arch} {} {args:#x?}\n{json}", nr.0);
                        known += 1;
                    }
                }
            }
        }
    }
    eprintln!("{profiles} profiles, {refused} refused: {known} calls alike, {doubtful} in doubt");
    assert!(known > doubtful && profiles > cases() / 2 && refused > 0);
}
