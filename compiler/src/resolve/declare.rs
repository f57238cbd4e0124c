//! First pass: which ABIs, groups, constants and calls there are, so that use may come before definition.

use kpol_grammar::ast::{self, Name, ParamDecl, Statement, StatementKind};
use kpol_grammar::did_you_mean;

use super::{ArchSet, Guard, Resolver};
use crate::diagnostic::{Code, Diagnostic, FileId, Span};
use crate::library;
use crate::source::graph::with_near;
use crate::spec::arch::X32_BIT;
use crate::spec::{Arch, Nr, multiplex, register};
use crate::tables;

/// Index of a group definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

pub(super) struct ConstDef<'a> {
    pub name: &'a Name,
    pub value: &'a ast::Expr,
    pub file: FileId,
    pub guard: Guard,
    pub used: bool,
}

pub(super) struct GroupDef<'a> {
    pub name: &'a Name,
    pub patterns: &'a [ast::Pattern],
    pub file: FileId,
    pub guard: Guard,
    pub used: bool,
}

/// A call that the policy declares itself.
#[derive(Debug, Clone)]
pub struct DeclaredCall {
    /// Its number on each of the ABIs.
    pub numbers: Vec<(Arch, Nr)>,
    /// Its parameters, if they were given.
    pub params: Vec<DeclaredParam>,
    /// Place of its name.
    pub span: Span,
    /// Whether its number is a mistake, which has been reported.
    pub unsound: bool,
}

/// A parameter of a declared call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredParam {
    /// Its name.
    pub name: String,
    /// Width, sign and kind of its type.
    pub shape: Shape,
    /// 64 bits on every ABI: a 32-bit one hands it over in two registers.
    pub split: bool,
}

/// What a type means to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many low bits the kernel looks at on a 64-bit ABI.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
    /// An address.
    pub pointer: bool,
}

impl<'a> Resolver<'a> {
    /// Finds every declaration of every file, and the ABIs of the policy.
    pub(super) fn declare(&mut self) {
        self.choose_archs();
        for file in &self.graph.files {
            self.declare_in(file.id, &file.tree.statements, Guard::ALWAYS);
        }
    }

    fn choose_archs(&mut self) {
        let mut stated: Vec<(FileId, Vec<Arch>)> = Vec::new();
        for file in &self.graph.files {
            for statement in &file.tree.statements {
                let StatementKind::Arch(names) = &statement.kind else { continue };
                let archs = names.iter().filter_map(|name| self.arch(file.id, name)).collect();
                stated.push((file.id, archs));
            }
        }
        let root = self.graph.files.first().map(|file| file.id);
        let own = |(file, _): &&(FileId, Vec<Arch>)| Some(*file) == root;
        // A file's own statement is the whole truth about it: what it includes cannot open another ABI.
        let mut archs: Vec<Arch> = if stated.iter().any(|one| own(&one)) {
            stated.iter().filter(own).flat_map(|(_, archs)| archs).copied().collect()
        } else {
            stated.iter().flat_map(|(_, archs)| archs).copied().collect()
        };
        archs.sort_unstable();
        archs.dedup();
        self.result.native = archs.is_empty() && self.options.archs.as_ref().is_none_or(Vec::is_empty);
        if archs.is_empty() {
            archs = vec![Arch::X86_64, Arch::Aarch64];
        }
        self.stated.clone_from(&archs);
        if let Some(wanted) = self.options.archs.as_ref().filter(|wanted| !wanted.is_empty()) {
            archs.clone_from(wanted);
            archs.sort_unstable();
            archs.dedup();
        }
        let here = |arch: &Arch| self.options.host.is_none_or(|host| arch.native() == host);
        // Of a policy for other machines alone whoever asks says that nothing of it is for this one.
        if archs.iter().any(here) {
            archs.retain(here);
        }
        self.result.archs = archs;
    }

    /// The ABI of that name.
    pub(super) fn arch(&mut self, file: FileId, name: &Name) -> Option<Arch> {
        if let Some(arch) = Arch::from_name(&name.text) {
            return Some(arch);
        }
        let other = Arch::from_oci_name(&name.text).or_else(|| Arch::all().find(|arch| arch.go_name() == name.text));
        let near = match (other, name.text.as_str()) {
            (Some(arch), _) => Some(arch.name()),
            (None, "i386" | "i686" | "ia32") => Some("x86"),
            (None, "armhf" | "armv7") => Some("arm"),
            _ => {
                // `X86-64` is written so elsewhere: another case or another dash is no other name.
                let usual = name.text.to_ascii_lowercase().replace('-', "_");
                Arch::from_name(&usual)
                    .map(Arch::name)
                    .or_else(|| did_you_mean(&name.text, Arch::all().map(Arch::name)))
            }
        };
        let all: Vec<&str> = Arch::all().map(Arch::name).collect();
        let span = Span { file, bytes: name.span };
        let diagnostic = Diagnostic::new(Code::E028, span, format!("no architecture `{}`", name.text));
        self.error(with_near(diagnostic, span, near, str::to_owned, &format!("there are {}", all.join(", "))));
        None
    }

    fn declare_in(&mut self, file: FileId, statements: &'a [Statement], guard: Guard) {
        for statement in statements {
            match &statement.kind {
                StatementKind::When { guards, body } => {
                    let inner = self.guard(file, guards, guard);
                    self.declare_in(file, body, inner);
                }
                StatementKind::Group { name, patterns } => self.declare_group(file, name, patterns, guard),
                StatementKind::Const { name, value } => self.declare_const(file, name, value, guard),
                StatementKind::Syscall { name, params, number, archs } => {
                    self.declare_call(file, name, params.as_deref(), number, archs, guard);
                }
                _ => {}
            }
        }
    }

    fn declare_group(&mut self, file: FileId, name: &'a Name, patterns: &'a [ast::Pattern], guard: Guard) {
        let span = Span { file, bytes: name.span };
        let builtin = self.is_builtin(file);
        if !builtin && library::group_file(&name.text).is_some() {
            self.error(
                Diagnostic::new(Code::E023, span, format!("`{}` is a built-in group", name.text))
                    .help(format!("take another name; `kpolc groups {}` shows what is in the built-in one", name.text)),
            );
            return;
        }
        let id = GroupId(self.groups.len() as u32);
        if let Some(&first) = self.group_names.get(name.text.as_str()).and_then(|ids| ids.first()) {
            let first = &self.groups[first.0 as usize];
            // Under guards a group may be said in parts; what holds always can be said once only.
            if !guard.guarded || !first.guard.guarded {
                let before = Span { file: first.file, bytes: first.name.span };
                self.error(defined_twice(span, before, &name.text));
                return;
            }
        }
        self.groups.push(GroupDef { name, patterns, file, guard, used: false });
        self.group_names.entry(&name.text).or_default().push(id);
    }

    fn declare_const(&mut self, file: FileId, name: &'a Name, value: &'a ast::Expr, guard: Guard) {
        let span = Span { file, bytes: name.span };
        if guard.asks {
            self.error(
                Diagnostic::new(Code::E045, span, "a constant cannot depend on capabilities or the kernel")
                    .help("guard the rules that use it, or give it a value by `when arch`"),
            );
            return;
        }
        if tables::is_constant(&name.text) {
            self.error(
                Diagnostic::new(Code::E023, span, format!("`{}` is a constant of the kernel", name.text))
                    .help("take another name"),
            );
            return;
        }
        if let Some(&first) = self.const_names.get(name.text.as_str()).and_then(|ids| ids.first()) {
            let first = &self.consts[first];
            if !guard.guarded || !first.guard.guarded {
                let before = Span { file: first.file, bytes: first.name.span };
                self.error(defined_twice(span, before, &name.text));
                return;
            }
        }
        self.const_names.entry(&name.text).or_default().push(self.consts.len());
        self.consts.push(ConstDef { name, value, file, guard, used: false });
    }

    fn declare_call(
        &mut self,
        file: FileId,
        name: &'a Name,
        params: Option<&'a [ParamDecl]>,
        number: &'a ast::Expr,
        archs: &'a [Name],
        guard: Guard,
    ) {
        let span = Span { file, bytes: name.span };
        if guard.asks {
            self.error(
                Diagnostic::new(Code::E045, span, "a syscall's number cannot depend on capabilities or the kernel")
                    .help("declare it outside, and guard the rules that use it"),
            );
            return;
        }
        let archs: Vec<Arch> = archs.iter().filter_map(|name| self.arch(file, name)).collect();
        let mut numbers = Vec::new();
        let mut unsound = false;
        for arch in archs.into_iter().filter(|&arch| guard.archs.has(arch)) {
            let Some(value) = self.number(number, file, arch) else {
                unsound = true;
                break;
            };
            let number_span = Span { file, bytes: number.span };
            let Some(mut nr) = u32::try_from(value).ok().filter(|&nr| nr < X32_BIT) else {
                self.error(
                    Diagnostic::new(
                        Code::E047,
                        number_span,
                        format!("{} is no syscall number", self.as_written(number_span, value)),
                    )
                    .help("numbers are small; x32's are written without bit 30"),
                );
                unsound = true;
                break;
            };
            if arch == Arch::X32 {
                nr |= X32_BIT;
            }
            if let Some(taken) = tables::syscall_at(arch, Nr(nr)).filter(|taken| taken.name() != name.text) {
                let number = self.as_written(number_span, value);
                self.error(
                    Diagnostic::new(Code::E047, number_span, format!("{number} is `{}` on {arch}", taken.name()))
                        .help(format!("write `{}` instead of declaring it, or correct the number", taken.name())),
                );
                unsound = true;
                break;
            }
            if let Some(known) = tables::syscall(&name.text).and_then(|call| call.nr(arch)) {
                if known == Nr(nr) {
                    self.sink.push(
                        Diagnostic::new(Code::W013, span, format!("kpolc knows `{}` on {arch} already", name.text))
                            .help("the declaration can go"),
                    );
                } else {
                    self.error(
                        Diagnostic::new(
                            Code::E047,
                            number_span,
                            format!(
                                "`{}` is {} on {arch}, not {}",
                                name.text,
                                known.0 & !X32_BIT,
                                self.as_written(number_span, value),
                            ),
                        )
                        .help("it needs no declaration"),
                    );
                    unsound = true;
                    break;
                }
            }
            numbers.push((arch, Nr(nr)));
        }
        let params = params.map(|params| self.declared_params(file, params)).unwrap_or_default();
        if let Some(first) = self.calls.get(name.text.as_str()) {
            let before = first.span;
            self.error(defined_twice(span, before, &name.text));
            return;
        }
        for &(arch, nr) in &numbers {
            if let Some(other) = self.result.declared.insert((arch, nr), name.text.clone()) {
                self.error(
                    Diagnostic::new(Code::E047, span, format!("`{other}` has the same number on {arch}"))
                        .help("one of the two numbers is wrong"),
                );
            }
        }
        self.calls.insert(&name.text, DeclaredCall { numbers, params, span, unsound });
    }

    fn declared_params(&mut self, file: FileId, params: &[ParamDecl]) -> Vec<DeclaredParam> {
        if let Some(extra) = params.get(6) {
            let span = Span { file, bytes: extra.name.span };
            self.error(
                Diagnostic::new(Code::E047, span, "a syscall has at most six parameters")
                    .help("the kernel shows six registers to a filter"),
            );
        }
        let mut declared: Vec<DeclaredParam> = Vec::new();
        for param in params.iter().take(6) {
            let span = Span { file, bytes: param.ty.span };
            let Some(shape) = shape_of(&param.ty.text) else {
                self.error(Diagnostic::new(Code::E047, span, format!("unknown type `{}`", param.ty.text)).help(
                    "write a C type of the kernel: `int`, `unsigned int`, `long`, `size_t`, `u32`, `u64`, or `void *` for any pointer",
                ));
                continue;
            };
            if register::named(&param.name.text).is_some_and(|register| !register.old) {
                let span = Span { file, bytes: param.name.span };
                self.error(
                    Diagnostic::new(Code::E047, span, format!("`{}` is a register of every call", param.name.text))
                        .help("take another name for the parameter"),
                );
                continue;
            }
            if declared.iter().any(|known| known.name == param.name.text) {
                let span = Span { file, bytes: param.name.span };
                self.error(Diagnostic::new(Code::E022, span, format!("two parameters `{}`", param.name.text)));
            }
            let split = is_split(&param.ty.text);
            declared.push(DeclaredParam { name: param.name.text.clone(), shape, split });
        }
        declared
    }

    /// Numbers of the ABIs on which a name is a syscall; `None` if it is one nowhere.
    pub(super) fn knows_call(&self, name: &str) -> bool {
        self.calls.contains_key(name) || self.syscall(name).is_some()
    }

    /// The number of a syscall on an ABI.
    pub(super) fn call_number(&self, name: &str, arch: Arch) -> Option<Nr> {
        let declared = self.calls.get(name).and_then(|call| call.numbers.iter().find(|(on, _)| *on == arch));
        declared.map(|&(_, nr)| nr).or_else(|| self.syscall(name)?.nr(arch))
    }

    /// Whether a name is a syscall on one of the policy's ABIs within `archs`; without conditions, the call that carries
    /// it (`ipc`, `socketcall`) is enough.
    pub(super) fn call_exists(&self, name: &str, unconditional: bool, archs: ArchSet) -> bool {
        let unsound = self.calls.get(name).is_some_and(|call| call.unsound);
        let on = || self.stated.iter().chain(&self.result.archs).filter(|arch| archs.has(**arch));
        let here = |name: &str| on().any(|&arch| self.call_number(name, arch).is_some());
        unsound || here(name) || unconditional && multiplex::through(name).is_some_and(|(through, _)| here(through))
    }
}

fn defined_twice(span: Span, before: Span, name: &str) -> Diagnostic {
    Diagnostic::new(Code::E022, span, format!("`{name}` is defined twice"))
        .label("again here")
        .related(before, "first here")
        .help("give one of them another name, or join them")
}

/// Whether a type has 64 bits on every ABI; `long` and its like are as wide as a register.
fn is_split(ty: &str) -> bool {
    matches!(ty, "s64" | "__s64" | "u64" | "__u64" | "uint64_t" | "loff_t")
}

/// What a C type of the kernel means to a filter.
fn shape_of(ty: &str) -> Option<Shape> {
    let pointer = ty.contains('*');
    let words: Vec<&str> = ty.split([' ', '*']).filter(|word| !matches!(*word, "" | "const" | "__user")).collect();
    if pointer {
        return Some(Shape { bits: 64, signed: false, pointer });
    }
    let (bits, signed) = match words.as_slice() {
        [
            "int" | "pid_t" | "s32" | "__s32" | "clockid_t" | "timer_t" | "key_serial_t" | "mqd_t" | "key_t" | "rwf_t",
        ]
        | ["signed", "int"] => (32, true),
        ["unsigned" | "u32" | "__u32" | "uint32_t" | "uid_t" | "gid_t" | "qid_t"] | ["unsigned", "int"] => (32, false),
        ["long" | "s64" | "__s64" | "off_t" | "loff_t" | "ssize_t"] => (64, true),
        ["size_t" | "u64" | "__u64" | "uint64_t"] | ["unsigned", "long"] => (64, false),
        ["short" | "s16"] => (16, true),
        ["umode_t" | "u16" | "__u16"] | ["unsigned", "short"] => (16, false),
        ["u8" | "__u8" | "bool"] | ["unsigned", "char"] => (8, false),
        _ => return None,
    };
    Some(Shape { bits, signed, pointer })
}
