//! Random profiles.

use std::fmt::Write as _;

use super::*;

/// A few entries for a few calls, with conditions by the first so many `operators`.
pub(super) fn profile(random: &mut Random, archs: &[Arch], operators: usize) -> String {
    let archs: Vec<_> = archs.iter().map(|arch| format!("\"{}\"", arch.oci_name())).collect();
    let mut json =
        format!(r#"{{"defaultAction": "SCMP_ACT_ERRNO", "architectures": [{}], "syscalls": ["#, archs.join(","));
    let actions = [
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_LOG""#,
        r#""SCMP_ACT_ERRNO", "errnoRet": 38"#,
        r#""SCMP_ACT_ERRNO""#,
        r#""SCMP_ACT_TRACE""#,
    ];
    // Few kinds of actions in one profile, or most rules contradict each other.
    let kinds = 1 + random.below(actions.len());
    for index in 0..1 + random.below(8) {
        let mut args = Vec::new();
        for _ in 0..[0, 1, 1, 2, 2, 3][random.below(6)] {
            let op = ["MASKED_EQ", "EQ", "EQ", "NE", "LT", "GT", "GE", "LE"][random.below(operators)];
            let arg = random.below(3);
            let (value, two) = (random.value(), random.value());
            args.push(format!(r#"{{"index": {arg}, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{op}"}}"#));
        }
        let name = NAMES[random.below(NAMES.len())];
        let action = actions[random.below(kinds)];
        let comma = if index > 0 { "," } else { "" };
        write!(json, r#"{comma}{{"names": ["{name}"], "action": {action}, "args": [{}]}}"#, args.join(",")).unwrap();
    }
    json + "]}"
}

/// A profile whose calls look alike: few values, few masks, several calls with the same conditions and one more.
pub(super) fn alike(random: &mut Random, archs: &[Arch]) -> String {
    let archs: Vec<_> = archs.iter().map(|arch| format!("\"{}\"", arch.oci_name())).collect();
    let mut json = format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "architectures": [{}], "syscalls": [
        {{"names": ["{}"], "action": "SCMP_ACT_ALLOW", "args": []}}"#,
        archs.join(","),
        NAMES[random.below(2)],
    );
    let masks = [1, 1, 3, 0xffff_ffff, u64::MAX, u64::MAX, 1 << 63, 1 << 32 | 1, 1 << 32];
    let kinds = 1 + random.below(3) / 2;
    let first = random.below(3);
    for _ in 0..2 + random.below(9) {
        let name = ["mmap", "read", "open", "shmctl", "mmap2"][random.below(5)];
        let action = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"][random.below(kinds)];
        let mut args = Vec::new();
        let mut condition = |arg: usize, random: &mut Random| {
            let mask = masks[random.below(masks.len())];
            let value = [0, 1, 1, 2, 3, 1 << 63, 1 << 32][random.below(7)] & mask;
            args.push(format!(
                r#"{{"index": {arg}, "value": {mask}, "valueTwo": {value}, "op": "SCMP_CMP_MASKED_EQ"}}"#
            ));
        };
        let arg = if random.below(3) > 0 { first } else { random.below(3) };
        condition(arg, random);
        if random.below(3) == 0 {
            condition((arg + 1 + random.below(2)) % 3, random);
        }
        write!(json, r#",{{"names": ["{name}"], "action": "{action}", "args": [{}]}}"#, args.join(",")).unwrap();
    }
    json + "]}"
}

/// A profile of each kind in turn: few entries, many, and, for all other kinds, entries that look alike.
pub(super) fn one_of_each(random: &mut Random, archs: &[Arch], kind: usize) -> String {
    match kind {
        0 => profile(random, archs, 3),
        1 => profile(random, archs, 8),
        _ => alike(random, archs),
    }
}
