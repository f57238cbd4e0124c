//! What a policy says about one call: the language, as code that can be read beside its reference.
//!
//! ```text
//! default deny                                      socket(AF_UNIX, …) on x86_64
//! allow { @net }                                      plain: allow            ┐
//! group @net { bind, socket(family != AF_ALG) }       level 1: nobody         ├ the highest level that claims it: allow
//! override log { bind }                               default: deny(EPERM)    ┘
//! ```
//!
//! One concrete call, one concrete environment, one walk over the statements: no sets of calls, no diagrams, nothing
//! shared with the rooms that compile a policy, so that these can be checked against it. It is slow, and tells no
//! author what is wrong: where a policy has a mistake, it answers [`Undefined`].
//!
//! | file | says |
//! |---|---|
//! | this one | statements, guards, levels, the default, asserts |
//! | `pattern` | which calls a pattern matches; groups, `except`, calls within calls |
//! | `condition` | what a condition asks of six registers, as data, and whether it holds |
//! | `value` | what constants and actions come to on an ABI |

mod condition;
mod pattern;
mod value;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use kpol_grammar::ast::{
    self, Expr, Guard, GuardKind, Include, Name, Outcome, ParamDecl, Pattern, Statement, StatementKind,
};

use super::{Action, Arch, Call, Environment, KernelVersion, Nr, Wanted};
use crate::tables;

pub use condition::{Condition, Word};

/// Definitions may lead through so many others: a circle has no meaning.
const MAX_STEPS: usize = 64;

/// A policy as it is written: the files that its root leads to, and the groups that need no include.
#[derive(Debug)]
pub struct Policy<'a> {
    files: Vec<File<'a>>,
    archs: Vec<Arch>,
}

#[derive(Debug)]
struct File<'a> {
    tree: &'a ast::File,
    /// 1 + the highest level among its includes.
    level: u32,
}

/// Why a policy has no meaning for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undefined(pub String);

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undefined {}

/// What a call gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This action.
    Action(Action),
    /// Nothing: rules of one level claim it for all of these.
    Conflict {
        /// 0 for plain rules, else the level of the overrides.
        level: u32,
        /// Two or more.
        actions: BTreeSet<Action>,
    },
}

/// A rule that claims a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// 0 for a plain rule, the level of its file for an override.
    pub level: u32,
    /// What the rule gives it.
    pub action: Action,
}

/// A statement of an `assert` that names a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What the author calls the assert.
    pub title: String,
    /// What it says of the call.
    pub wanted: Wanted,
}

impl Promise {
    /// Whether a call that it names may get `action`.
    pub fn is_kept_by(&self, action: Action) -> bool {
        self.wanted.is_kept_by(action)
    }
}

/// Whether `ours` lets through no more than `theirs`, as `within` means it.
pub fn is_within(ours: Action, theirs: Action) -> bool {
    ours.precedence() <= theirs.precedence()
}

/// Everything that is said where a call happens: the guards around these statements hold.
struct Scene<'a> {
    call: Call,
    said: Vec<Said<'a>>,
    consts: HashMap<&'a str, &'a Expr>,
    declared: HashMap<&'a str, Declared<'a>>,
    /// A group may be said in several parts.
    groups: HashMap<&'a str, Vec<&'a [Pattern]>>,
    /// What constants came to.
    known: RefCell<HashMap<&'a str, value::Value>>,
}

/// A `syscall` statement.
struct Declared<'a> {
    params: &'a [ParamDecl],
    number: &'a Expr,
    archs: &'a [Name],
}

/// A statement, and the level of its file.
#[derive(Clone, Copy)]
struct Said<'a> {
    level: u32,
    statement: &'a Statement,
}

impl<'a> Policy<'a> {
    /// The policy whose root is `files[root]`. An include names a file by the very text in its quotes, one of the
    /// library by its text with the angle brackets. The groups of `builtin` are there without an include.
    ///
    /// # Errors
    /// Where an include leads nowhere, or in a circle.
    pub fn new(
        root: &str,
        files: &'a BTreeMap<String, ast::File>,
        builtin: impl IntoIterator<Item = &'a ast::File>,
    ) -> Result<Self, Undefined> {
        let mut names = Vec::new();
        reach(root, files, &mut names, 0)?;
        let mut policy = Self { files: Vec::new(), archs: Vec::new() };
        for name in names {
            policy.files.push(File { tree: file(&name, files)?, level: level(&name, files, 0)? });
        }
        policy.archs = policy.stated_archs()?;
        policy.files.extend(builtin.into_iter().map(|tree| File { tree, level: 1 }));
        Ok(policy)
    }

    /// The ABIs that the process may use.
    pub fn archs(&self) -> &[Arch] {
        &self.archs
    }

    /// A root that states ABIs has the last word; else its includes have. With no word from anybody, it is the node's own.
    fn stated_archs(&self) -> Result<Vec<Arch>, Undefined> {
        let stated = |files: &[File<'a>]| -> Result<BTreeSet<Arch>, Undefined> {
            let mut archs = BTreeSet::new();
            for statement in files.iter().flat_map(|file| &file.tree.statements) {
                if let StatementKind::Arch(names) = &statement.kind {
                    for name in names {
                        archs.insert(arch(name)?);
                    }
                }
            }
            Ok(archs)
        };
        let own = stated(&self.files[..1])?;
        let all = if own.is_empty() { stated(&self.files)? } else { own };
        Ok(if all.is_empty() { vec![Arch::X86_64, Arch::Aarch64] } else { all.into_iter().collect() })
    }

    /// What `call` gets.
    ///
    /// # Errors
    /// Where a mistake in the policy leaves that open.
    pub fn verdict(&self, call: &Call, environment: &Environment) -> Result<Verdict, Undefined> {
        if !self.archs.contains(&call.arch) {
            return Ok(Verdict::Action(Action::KillProcess));
        }
        let scene = self.scene(call, environment)?;
        let mut levels: BTreeMap<u32, BTreeSet<Action>> = BTreeMap::new();
        for claim in scene.claims()? {
            levels.entry(claim.level).or_default().insert(claim.action);
        }
        // Even where an override decides, the rules below it have to agree.
        if let Some((&level, actions)) = levels.iter().find(|(_, actions)| actions.len() > 1) {
            return Ok(Verdict::Conflict { level, actions: actions.clone() });
        }
        match levels.last_key_value().and_then(|(_, actions)| actions.first()) {
            Some(&action) => Ok(Verdict::Action(action)),
            None => scene.default(),
        }
    }

    /// The rules that claim `call`, sorted.
    ///
    /// # Errors
    /// Where a mistake in the policy leaves that open.
    pub fn claims(&self, call: &Call, environment: &Environment) -> Result<Vec<Claim>, Undefined> {
        if self.archs.contains(&call.arch) { self.scene(call, environment)?.claims() } else { Ok(Vec::new()) }
    }

    /// What the asserts say of `call`. Of calls that end at the door, with their ABI, they say nothing.
    ///
    /// # Errors
    /// Where a mistake in the policy leaves that open.
    pub fn promises(&self, call: &Call, environment: &Environment) -> Result<Vec<Promise>, Undefined> {
        if !self.archs.contains(&call.arch) {
            return Ok(Vec::new());
        }
        let scene = self.scene(call, environment)?;
        let mut promises = Vec::new();
        for said in &scene.said {
            let StatementKind::Assert { title, claims } = &said.statement.kind else { continue };
            for claim in claims {
                let wanted = scene.wanted(claim)?;
                let wanted = if scene.any_matches(&claim.patterns)? {
                    Some(wanted)
                } else if scene.any_reached(&claim.patterns)? {
                    wanted.behind_a_multiplexer()
                } else {
                    None
                };
                promises.extend(wanted.map(|wanted| Promise { title: title.text.clone(), wanted }));
            }
        }
        Ok(promises)
    }

    /// The profiles that `call` is to be compared with by `within`.
    ///
    /// # Errors
    /// Where a mistake in the policy leaves that open.
    pub fn withins(&self, call: &Call, environment: &Environment) -> Result<Vec<&'a Include>, Undefined> {
        let scene = self.scene(call, environment)?;
        let named = scene.said.iter().filter_map(|said| match &said.statement.kind {
            StatementKind::Within(include) => Some(include),
            _ => None,
        });
        Ok(named.collect())
    }

    fn scene(&self, call: &Call, environment: &Environment) -> Result<Scene<'a>, Undefined> {
        let mut said = Vec::new();
        for file in &self.files {
            hear(&file.tree.statements, file.level, call.arch, environment, &mut said)?;
        }
        Ok(Scene::new(*call, said))
    }
}

/// What names come to on an ABI, for those who ask about conditions and not about calls.
pub struct Names<'a>(Scene<'a>);

impl<'a> Names<'a> {
    /// The names of these files, which have no mistake.
    ///
    /// # Errors
    /// Where there is one.
    pub fn new(files: impl IntoIterator<Item = &'a ast::File>, arch: Arch) -> Result<Self, Undefined> {
        let mut said = Vec::new();
        for file in files {
            // No definition but a group's hangs on the environment, and of groups nothing is asked here.
            hear(&file.statements, 0, arch, &Environment::default(), &mut said)?;
        }
        Ok(Self(Scene::new(Call { arch, nr: Nr(0), args: [0; 6] }, said)))
    }

    /// The number of a call, if the ABI has it.
    ///
    /// # Errors
    /// Where a declaration is a mistake.
    pub fn number(&self, call: &str) -> Result<Option<Nr>, Undefined> {
        self.0.number(call)
    }

    /// What a condition asks of the registers of `call`.
    ///
    /// # Errors
    /// Where it is a mistake.
    pub fn condition(&self, condition: &Expr, call: &str) -> Result<Condition, Undefined> {
        self.0.condition(condition, call)
    }

    /// The action that is written.
    ///
    /// # Errors
    /// Where it is a mistake.
    pub fn action(&self, action: &ast::ActionExpr) -> Result<Action, Undefined> {
        self.0.action(action)
    }
}

impl<'a> Scene<'a> {
    fn new(call: Call, said: Vec<Said<'a>>) -> Self {
        let (mut consts, mut declared) = (HashMap::new(), HashMap::new());
        let mut groups: HashMap<&str, Vec<&[Pattern]>> = HashMap::new();
        for said in &said {
            match &said.statement.kind {
                StatementKind::Const { name, value } => {
                    consts.entry(name.text.as_str()).or_insert(value);
                }
                StatementKind::Syscall { name, params, number, archs } => {
                    let params = params.as_deref().unwrap_or_default();
                    declared.entry(name.text.as_str()).or_insert(Declared { params, number, archs });
                }
                StatementKind::Group { name, patterns } => {
                    groups.entry(name.text.as_str()).or_default().push(patterns);
                }
                _ => {}
            }
        }
        Self { call, said, consts, declared, groups, known: RefCell::default() }
    }
}

impl Scene<'_> {
    fn wanted(&self, claim: &ast::Claim) -> Result<Wanted, Undefined> {
        match (&claim.outcome, claim.negated) {
            (Outcome::Action(action), None) => Ok(Wanted::Action(self.action(action)?)),
            (Outcome::Action(action), Some(_)) => Ok(Wanted::Not(self.action(action)?)),
            (Outcome::Refused(_), None) => Ok(Wanted::Refused),
            (Outcome::Runs(_), None) => Ok(Wanted::Runs),
            (_, Some(_)) => undefined("`not` before `refused` or `runs`"),
        }
    }

    fn claims(&self) -> Result<Vec<Claim>, Undefined> {
        let mut claims = Vec::new();
        for said in &self.said {
            let StatementKind::Rule { over, action, patterns } = &said.statement.kind else { continue };
            if self.any_matches(patterns)? {
                let level = if over.is_some() { said.level } else { 0 };
                claims.push(Claim { level, action: self.action(action)? });
            }
        }
        claims.sort_unstable();
        Ok(claims)
    }

    /// What is left for calls that nobody claims.
    fn default(&self) -> Result<Verdict, Undefined> {
        let mut levels: BTreeMap<u32, BTreeSet<Action>> = BTreeMap::new();
        for said in &self.said {
            if let StatementKind::Default { over, action } = &said.statement.kind {
                let level = if over.is_some() { said.level } else { 0 };
                levels.entry(level).or_default().insert(self.action(action)?);
            }
        }
        let Some((level, actions)) = levels.pop_last() else { return undefined("a library has no default") };
        match actions.first() {
            Some(&action) if actions.len() == 1 => Ok(Verdict::Action(action)),
            _ => Ok(Verdict::Conflict { level, actions }),
        }
    }
}

/// Collects the statements whose guards hold. Recursion is bounded by the parser's nesting.
fn hear<'a>(
    statements: &'a [Statement],
    level: u32,
    arch: Arch,
    environment: &Environment,
    said: &mut Vec<Said<'a>>,
) -> Result<(), Undefined> {
    for statement in statements {
        match &statement.kind {
            StatementKind::When { guards, body } => {
                let mut all = true;
                for guard in guards {
                    all &= holds(guard, arch, environment)?;
                }
                if all {
                    hear(body, level, arch, environment, said)?;
                }
            }
            StatementKind::Broken => return undefined("a statement that could not be read"),
            _ => said.push(Said { level, statement }),
        }
    }
    Ok(())
}

fn holds(guard: &Guard, here: Arch, environment: &Environment) -> Result<bool, Undefined> {
    let plain = match &guard.kind {
        GuardKind::Arch(names) => {
            let mut any = false;
            for name in names {
                any |= arch(name)? == here;
            }
            any
        }
        GuardKind::Cap(name) => match tables::capability(&name.text) {
            Some(number) => environment.caps.contains(&number),
            None => return undefined(format!("no capability {}", name.text)),
        },
        GuardKind::Kernel(version) => match version.text.parse::<KernelVersion>() {
            Ok(wanted) => environment.kernel >= wanted,
            Err(()) => return undefined(format!("no kernel {}", version.text)),
        },
    };
    Ok(plain != guard.negated.is_some())
}

fn arch(name: &Name) -> Result<Arch, Undefined> {
    Arch::from_name(&name.text).ok_or_else(|| Undefined(format!("no architecture {}", name.text)))
}

fn undefined<T>(why: impl Into<String>) -> Result<T, Undefined> {
    Err(Undefined(why.into()))
}

fn file<'a>(name: &str, files: &'a BTreeMap<String, ast::File>) -> Result<&'a ast::File, Undefined> {
    files.get(name).ok_or_else(|| Undefined(format!("no file {name}")))
}

/// Names of the files that a file includes.
fn includes(file: &ast::File) -> impl Iterator<Item = String> {
    file.statements.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Include(include) if include.library => Some(format!("<{}>", include.path.text)),
        StatementKind::Include(include) => Some(include.path.text.clone()),
        _ => None,
    })
}

/// The files that `name` leads to, itself first, each once.
fn reach(
    name: &str,
    files: &BTreeMap<String, ast::File>,
    names: &mut Vec<String>,
    steps: usize,
) -> Result<(), Undefined> {
    if steps > MAX_STEPS {
        return undefined("includes without an end");
    }
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    names.push(name.to_owned());
    for include in includes(file(name, files)?) {
        reach(&include, files, names, steps + 1)?;
    }
    Ok(())
}

fn level(name: &str, files: &BTreeMap<String, ast::File>, steps: usize) -> Result<u32, Undefined> {
    if steps > MAX_STEPS {
        return undefined("includes in a circle");
    }
    let mut highest = 0;
    for include in includes(file(name, files)?) {
        highest = highest.max(level(&include, files, steps + 1)?);
    }
    Ok(highest + 1)
}
