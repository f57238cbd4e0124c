//! Policy and program as one question in SMT-LIB 2: is there a call that they answer differently?
//!
//! ```text
//! (define-fun rule.1 () Bool (and call.socket (= ((_ extract 31 0) arg0) #x00000001)))     web.kpol:3
//! (define-fun at.9 () Bool (and at.7 test.7))                                              06 00 00 00 00 00 ff 7f
//! (assert (or (distinct policy.allow program.allow) …))
//! (check-sat)                                                                              unsat
//! ```
//!
//! `unsat` is a proof by a program that knows nothing of ours. The text comes from the trees of the policy's files and from the
//! bytes of the program, with the tables and the names of the compiler. It owes nothing to the diagram, to the combining
//! of claims, or to a generator, so a mistake in one of these shows as `sat`, and the model is the call.
//!
//! SMT-LIB is at <https://smt-lib.org/language.shtml> (version 2.6, logic `QF_BV`). What a call gets is said by Booleans, one for
//! each answer: with answers as numbers under `ite`, cvc5 takes minutes in place of seconds.
//!
//! | file | says |
//! |---|---|
//! | this one | the order of the parts, and the question |
//! | `call` | what a call is, ABIs, the environment |
//! | `rules` | groups and rules as they are written, levels, the default |
//! | `condition` | a condition on registers |
//! | `program` | instructions |
//! | `text` | definitions on lines that can be read |

mod call;
mod condition;
mod program;
mod rules;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::render::clean_line;
use crate::source::Sources;
use crate::source::graph::Graph;
use crate::spec::rule::Undefined;
use crate::spec::{Action, Arch, KernelVersion};
use rules::Rules;
use text::Text;

/// A policy as it is written, and a program.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The policy's file, as the user calls it.
    pub file: &'a str,
    /// Its statements, those of what it includes, and the built-in groups.
    pub graph: &'a Graph,
    /// The texts.
    pub sources: &'a Sources,
    /// ABIs that the process may use; all of one byte order.
    pub archs: &'a [Arch],
    /// The capabilities that are held; `None` leaves them open.
    pub caps: Option<&'a BTreeSet<u8>>,
    /// The kernel that runs; `None` leaves it open.
    pub kernel: Option<KernelVersion>,
    /// The program as that kernel reads it.
    pub bytes: &'a [u8],
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Policy or program say nothing that could be stated.
    Undefined(String),
    /// It would be longer than `text::LONGEST`.
    TooLong,
}

impl From<Undefined> for Trouble {
    fn from(why: Undefined) -> Self {
        Self::Undefined(why.0)
    }
}

/// The text.
///
/// # Errors
/// Where policy or program have no meaning, which the compiler says first, and where the text is too long.
pub fn write(question: &Question<'_>) -> Result<String, Trouble> {
    let mut rules = Rules::new(question)?;
    let policy = rules.write()?;
    let mut text = Text::default();
    preface(question, &mut text);
    call::write(question, &rules.asked, &mut text)?;
    text.push_text(&policy)?;
    text.heading("4. The filter: each instruction with its bytes, as net/core/filter.c of the kernel runs it", &[
        "at.N: instruction N is executed.  test.N: its comparison holds.  A.N, X.N, M.I.N: what it finds in the registers,",
        "where several ways lead to it.  out.N: what it computes.",
    ])?;
    let big_endian = question.archs.first().is_some_and(|arch| arch.is_big_endian());
    let returns = program::write(question.bytes, big_endian, &mut text)?;
    ask(&rules, &returns, &mut text)?;
    Ok(text.finish())
}

fn preface(question: &Question<'_>, text: &mut Text) {
    let file = clean_line(question.file);
    let archs: Vec<&str> = question.archs.iter().map(|arch| arch.name()).collect();
    for line in [
        &format!("{file}, and the filter that was made of it, as a question in SMT-LIB 2 (QF_BV)."),
        "",
        "unsat   for every call the filter answers what the policy says",
        "sat     some call gets another answer; what stands behind the last line shows it",
        "",
        "Ask a solver:   z3 FILE      bitwuzla FILE      cvc5 --bitblast=eager FILE",
        "",
        "It knows nothing of kpolc. What is left to believe can be read here: that part 2 has the numbers of the kernel",
        "(arch/*/include/uapi/asm/unistd.h), that part 3 says what the policy's text says, with widths and signs of parameters as the",
        "kernel takes them, and that part 4 has the bytes of the file that is loaded.",
        "",
        &format!("ABIs: {}", archs.join(", ")),
    ] {
        text.comment(line);
    }
    text.line("(set-option :produce-models true)");
    text.line("(set-logic QF_BV)");
}

/// The question: no call may get one answer here and another there.
fn ask(rules: &Rules<'_>, returns: &program::Returns, text: &mut Text) -> Result<(), Trouble> {
    text.heading(
        "5. The question",
        &["program.X: the kernel does X when the filter has run (__seccomp_filter, kernel/seccomp.c)."],
    )?;
    let answers: BTreeSet<Action> = rules.answers.iter().chain(returns.constant.keys()).copied().collect();
    let none = Vec::new();
    let mut differences = vec!["conflict".to_owned()];
    if !returns.computed.is_empty() {
        text.line(program::KERNEL);
    }
    for &answer in &answers {
        let mut ends = returns.constant.get(&answer).unwrap_or(&none).clone();
        ends.extend(returns.computed.iter().map(|(at, value)| {
            text::all(vec![at.clone(), format!("(= (kernel.answer {value}) {})", text::word(answer.to_ret()))])
        }));
        let name = symbol(answer);
        text.define(&format!("program.{name}"), &[], &text::plain(ends))?;
        if !rules.answers.contains(&answer) {
            text.define(&format!("policy.{name}"), &[], &[])?;
        }
        differences.push(format!("(distinct policy.{name} program.{name})"));
    }
    text.line("");
    text.define("different", &[], &text::plain(differences))?;
    text.line("(assert different)");
    text.line("(check-sat)");
    let seen = ["arch", "nr", "arg0", "arg1", "arg2", "arg3", "arg4", "arg5"].map(str::to_owned);
    let open: Vec<String> = seen.into_iter().chain(rules.asked.open.iter().cloned()).collect();
    text.comment(&format!("(get-value ({}))", open.join(" ")));
    Ok(())
}

/// `deny.38`: an answer as part of a name.
fn symbol(action: Action) -> String {
    match action {
        Action::Errno(data) | Action::Trap(data) | Action::Trace(data) => format!("{}.{data}", action.word()),
        _ => action.word().to_owned(),
    }
}

/// ABIs by what is said of them, in the order of the first.
fn by_value<T: PartialEq>(said: impl IntoIterator<Item = (Arch, T)>) -> Vec<(Vec<Arch>, T)> {
    let mut all: Vec<(Vec<Arch>, T)> = Vec::new();
    for (arch, value) in said {
        match all.iter_mut().find(|(_, known)| *known == value) {
            Some((archs, _)) => archs.push(arch),
            None => all.push((vec![arch], value)),
        }
    }
    all
}

/// What of the calls and the environment is spoken of, and has to be defined first.
#[derive(Debug, Default)]
struct Asked {
    /// Calls, and whether with the other ways to their code.
    calls: BTreeMap<String, bool>,
    /// Capabilities by name.
    caps: BTreeMap<String, u8>,
    /// Whether the kernel's release is.
    kernel: bool,
    /// Which of these are free.
    open: BTreeSet<String>,
}
