//! seccompiler: one action for what its rules match and one for the rest.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::profile::{Arg, Profile};

pub fn filter(profile: &Profile) -> Result<Vec<u8>, String> {
    let mut matched: Option<SeccompAction> = None;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for entry in &profile.syscalls {
        let own = action(&entry.action, entry.errno_ret)?;
        if matched.get_or_insert_with(|| own.clone()) != &own {
            return Err("more than two actions".to_owned());
        }
        for name in &entry.names {
            let Some(number) = crate::seacomb::number(name) else { continue };
            let rules = rules.entry(number.into()).or_default();
            if !entry.args.is_empty() {
                let conditions = entry.args.iter().map(condition).collect::<Result<_, _>>()?;
                rules.push(SeccompRule::new(conditions).map_err(|error| error.to_string())?);
            }
        }
    }
    let other = action(&profile.default_action, profile.default_errno_ret)?;
    let matched = matched.unwrap_or(SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, other, matched, TargetArch::x86_64).map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    Ok(program.iter().flat_map(|insn| crate::bytes(insn.code, insn.jt, insn.jf, insn.k)).collect())
}

fn condition(arg: &Arg) -> Result<SeccompCondition, String> {
    let op = match arg.op.as_str() {
        "SCMP_CMP_EQ" => SeccompCmpOp::Eq,
        "SCMP_CMP_NE" => SeccompCmpOp::Ne,
        "SCMP_CMP_LT" => SeccompCmpOp::Lt,
        "SCMP_CMP_LE" => SeccompCmpOp::Le,
        "SCMP_CMP_GE" => SeccompCmpOp::Ge,
        "SCMP_CMP_GT" => SeccompCmpOp::Gt,
        "SCMP_CMP_MASKED_EQ" => SeccompCmpOp::MaskedEq(arg.value),
        op => return Err(format!("the comparison {op}")),
    };
    let value = if arg.op == "SCMP_CMP_MASKED_EQ" { arg.value_two } else { arg.value };
    SeccompCondition::new(arg.index as u8, SeccompCmpArgLen::Qword, op, value).map_err(|error| error.to_string())
}

fn action(name: &str, errno: Option<u16>) -> Result<SeccompAction, String> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno(errno.unwrap_or(1).into()),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        other => return Err(format!("the action {other}")),
    })
}
