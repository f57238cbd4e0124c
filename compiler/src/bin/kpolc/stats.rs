//! `kpolc stats`: what a filter is made of, what it costs, and what it lets happen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use kpol_compiler::answer::effects::{self, Granted};
use kpol_compiler::answer::stats::{self, Cost, OfArch};
use kpol_compiler::bpf;
use kpol_compiler::diagram::Store;
use kpol_compiler::spec::Arch;
use serde_json::{Value, json};

use crate::aim;
use crate::filters;
use crate::report::{Place, Report};
use crate::settings;
use crate::show::text;
use crate::ui::{Format, FormatArg, Status, Trouble, Ui, printable};

/// So many of the heaviest calls are shown.
const HEAVIEST: usize = 5;

/// Count the calls of a filter, and what it costs.
///
/// FILE is a policy or raw BPF, whose instructions are counted, or a JSON profile, of which a runtime's libseccomp makes
/// the instructions, so that only calls are counted.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  kpolc stats web.kpol
  kpolc stats docker-default.kpol --cap none --kernel 6.1   what it costs there
  kpolc stats web.kpol --weights web.weights                how many instructions our own calls take
  kpolc stats filter.bpf --format json")]
pub struct Args {
    /// The filter
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    aim: aim::Args,
    #[command(flatten)]
    files: filters::Args,
    #[command(flatten)]
    settings: settings::Args,
    #[command(flatten)]
    pub format: FormatArg,
}

pub fn run(args: &Args, ui: &Ui) -> Result<Status, Trouble> {
    if !matches!(ui.format, Format::Human | Format::Json) {
        return Err(Trouble::new("`stats` prints `--format human` or `json`"));
    }
    let mut report = Report::default();
    let Some(aim) = args.aim.aim(&mut report) else {
        report.print(ui, Place::Aside)?;
        return Ok(report.status());
    };
    let mut store = Store::default();
    let filter = match filters::open(&args.files.files()?, &args.file, &args.settings, &mut store, ui)? {
        Ok(opened) => opened.filter,
        Err(status) => return Ok(status),
    };
    let (program, why_not) = match (&filter.program, &filter.rules) {
        (Some(program), _) => (Some(program.clone()), None),
        (None, Some(rules)) => match bpf::write(&mut store, &rules.policy, &aim) {
            Ok(program) => (Some(program), None),
            Err(error) => (None, Some(error.to_string())),
        },
        (None, None) => (None, Some("its instructions are made by the runtime's libseccomp".to_owned())),
    };
    let granted = effects::granted(&mut store, &filter);
    let counted = stats::calls(&filter.function, &filter.spoken, &filter.declared);
    let costs =
        program.as_ref().map_or_else(Vec::new, |program| stats::costs(program, &filter.spoken, &filter.declared));
    let expected: BTreeMap<Arch, f64> = filter
        .spoken
        .iter()
        .filter_map(|&arch| Some((arch, stats::expected(program.as_ref()?, arch, &aim.weights)?)))
        .collect();
    let length = program.as_ref().map(|program| program.0.len());
    Ui::show(&match ui.format {
        Format::Json => as_json(&counted, &costs, &expected, length, &granted),
        _ => human(&filter.name, &counted, &costs, &expected, length, why_not.as_deref()) + &text::effects(&granted),
    })?;
    Ok(Status::Fine)
}

fn human(
    name: &str,
    counted: &[OfArch],
    costs: &[Cost],
    expected: &BTreeMap<Arch, f64>,
    length: Option<usize>,
    why_not: Option<&str>,
) -> String {
    let mut text = match (length, why_not) {
        (Some(length), _) => format!("{}: {}\n", printable(name), filters::many(length, "instruction")),
        (None, why) => format!("{}: instructions are not counted: {}\n", printable(name), why.unwrap_or_default()),
    };
    for of in counted {
        let mut parts: Vec<String> = of.calls.iter().rev().map(|(action, count)| format!("{action} {count}")).collect();
        if !of.conditional.is_empty() {
            parts.push(format!("by condition {}", of.conditional.len()));
        }
        let _ = writeln!(text, "\n{}: {}", of.arch, parts.join(", "));
        if !of.conditional.is_empty() {
            let _ = writeln!(text, "  by condition: {}", of.conditional.join(", "));
        }
        let own: Vec<&Cost> = costs.iter().filter(|cost| cost.arch == of.arch).collect();
        let Some(worst) = own.first() else { continue };
        let expected = expected.get(&of.arch).map_or(String::new(), |expected| format!("{expected:.2} expected, "));
        let _ = writeln!(text, "  instructions a call: {expected}{} at most", worst.most);
        let heaviest: Vec<String> =
            own.iter().take(HEAVIEST).map(|cost| format!("{} {}", cost.name, cost.most)).collect();
        let _ = writeln!(text, "  heaviest: {}", heaviest.join(", "));
        let bitmap = own.iter().filter(|cost| cost.bitmap).count();
        let _ = writeln!(text, "  answered from the kernel's bitmap: {}", filters::many(bitmap, "call"));
    }
    text
}

fn as_json(
    counted: &[OfArch],
    costs: &[Cost],
    expected: &BTreeMap<Arch, f64>,
    length: Option<usize>,
    granted: &[Granted],
) -> String {
    let archs: Vec<Value> = counted
        .iter()
        .map(|of| {
            let calls: serde_json::Map<String, Value> =
                of.calls.iter().map(|(action, count)| (action.to_string(), json!(count))).collect();
            let own: Vec<&Cost> = costs.iter().filter(|cost| cost.arch == of.arch).collect();
            json!({
                "arch": of.arch.name(),
                "calls": calls,
                "conditional": of.conditional,
                "expected": expected.get(&of.arch),
                "most": own.first().map(|cost| cost.most),
                "heaviest": own.iter().take(HEAVIEST).map(|cost| json!({ "call": cost.name, "most": cost.most }))
                    .collect::<Vec<_>>(),
                "bitmap": own.iter().filter(|cost| cost.bitmap).count(),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "instructions": length, "archs": archs, "effects": text::effects_json(granted) }))
}
