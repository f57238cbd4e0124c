//! Conditions on arguments, as sets of calls.
//!
//! ```text
//! type & SOCK_TYPE_MASK == SOCK_STREAM     the kernel takes `int type`: low 32 bits of reg1, masked by 0xf, are 1
//! fd < 0                                   `unsigned int fd` in the kernel: never; a warning says so
//! ```
//!
//! Width and sign are the kernel's, not the register's: it drops the upper half of an `int` before it looks, so a
//! filter that compares all 64 bits can be walked around (CVE-2019-7303, CVE-2019-10063).

use std::collections::BTreeSet;
use std::rc::Rc;

use kpol_grammar::Offer;
use kpol_grammar::ast::{self, BinaryOp, CompareOp, Expr, ExprKind, UnaryOp};

use super::number::{fits_width, number_range};
use super::value::Value;
use super::width::{self, Narrow};
use super::{Resolver, declare::Shape};
use crate::diagnostic::{Code, Diagnostic, Edit, FileId, Fix, Safety, Severity, Span};
use crate::diagram::{Comparison, Node, Operand, Store};
use crate::source::graph::with_offer;
use crate::spec::Arch;
use crate::spec::register::{self, Register};
use crate::tables;

/// Whether a condition held always, or never, wherever it was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constancy {
    always: bool,
    never: bool,
}

impl Constancy {
    /// Whether it held always, or never.
    pub(super) fn is_worth_saying(self) -> bool {
        self.always || self.never
    }
}

/// The call whose arguments are looked at.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub call: &'a str,
    pub file: FileId,
    pub arch: Arch,
}

/// A parameter, or a raw register.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) arg: u8,
    pub(super) shape: Shape,
    /// All of a register, whatever the kernel takes of it: `reg0` … `reg5`.
    pub(super) raw: bool,
    pub(super) name: String,
    pub(super) span: Span,
    /// Where a command leaves fewer bits.
    pub(super) narrow: Vec<Narrow>,
}

/// A register as it is.
const RAW: Shape = Shape { bits: 64, signed: false, pointer: false };

/// A parameter with the mask that is laid over it.
struct Tested {
    slot: Slot,
    /// All ones if there is none.
    mask: u64,
}

/// What is known of a call's parameters, if anything.
pub(super) type KnownParams = Option<Rc<Params>>;

/// What the kernel knows about the parameters of a call.
pub(super) struct Params {
    pub(super) list: Vec<(String, Shape)>,
    /// From here on, names have no fixed register on this ABI.
    split_at: Option<usize>,
}

impl<'a> Resolver<'a> {
    /// The set of calls for which `expr` holds. Recursion is bounded by the parser's nesting.
    pub(super) fn condition(&mut self, expr: &'a Expr, at: At<'a>) -> Node {
        if matches!(expr.kind, ExprKind::Compare { .. } | ExprKind::In { .. } | ExprKind::Chain { .. }) {
            self.compared = Some((expr, at));
        }
        let node = self.condition_below(expr, at);
        self.compared = None;
        node
    }

    fn condition_below(&mut self, expr: &'a Expr, at: At<'a>) -> Node {
        match &expr.kind {
            ExprKind::Paren(inner) => self.condition(inner, at),
            ExprKind::Unary(UnaryOp::Not, inner) => {
                let inner = self.condition(inner, at);
                self.store.not(inner)
            }
            ExprKind::And(list) => list.iter().fold(Node::TRUE, |all, one| {
                let one = self.condition(one, at);
                self.store.and(all, one)
            }),
            ExprKind::Or(list) => list.iter().fold(Node::FALSE, |any, one| {
                let one = self.condition(one, at);
                self.store.or(any, one)
            }),
            ExprKind::Compare { op, left, right, .. } => {
                let node = self.compare(*op, left, right, expr, at);
                self.note_constancy(expr, at, node)
            }
            ExprKind::In { negated, left, set } => {
                let node = self.member(left, set, at);
                let node = match node {
                    Some(node) if *negated => self.store.not(node),
                    Some(node) => node,
                    None => return Node::FALSE,
                };
                self.note_constancy(expr, at, Some(node))
            }
            _ if self.mentions_parameter(expr, at) => {
                let Some(tested) = self.tested(expr, at) else { return Node::FALSE };
                let zero = self.equal(&tested, 0, at.arch);
                let node = self.store.not(zero);
                self.note_constancy(expr, at, Some(node))
            }
            _ => {
                self.not_a_condition(expr, at);
                Node::FALSE
            }
        }
    }

    fn not_a_condition(&mut self, expr: &'a Expr, at: At<'a>) {
        if let Some((name, span)) = self.unknown_name(expr, at.file) {
            self.unknown_parameter(name, span, at);
            return;
        }
        let span = Span { file: at.file, bytes: expr.span };
        self.error(Diagnostic::new(Code::E034, span, "this tests no parameter").help(format!(
            "compare a parameter of `{}`: {}",
            at.call,
            self.parameter_list(at)
        )));
    }

    fn parameter_list(&self, at: At<'a>) -> String {
        match self.params(at.call, at.arch) {
            Some(params) if !params.list.is_empty() => {
                params.list.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            }
            _ => "`reg0` to `reg5`".to_owned(),
        }
    }

    fn compare(&mut self, op: CompareOp, left: &'a Expr, right: &'a Expr, whole: &'a Expr, at: At<'a>) -> Option<Node> {
        let (tested, value, op) = match (self.mentions_parameter(left, at), self.mentions_parameter(right, at)) {
            (true, false) => (left, right, op),
            (false, true) => (right, left, flipped(op)),
            (true, true) => {
                let span = Span { file: at.file, bytes: whole.span };
                self.error(
                    Diagnostic::new(Code::E034, span, "two parameters cannot be compared with each other")
                        .help("a filter compares a parameter with constants only"),
                );
                return None;
            }
            (false, false) => {
                let unknown = self.unknown_name(left, at.file).or_else(|| self.unknown_name(right, at.file));
                match unknown {
                    Some((name, span)) => self.unknown_parameter(name, span, at),
                    None => self.not_a_condition(whole, at),
                }
                return None;
            }
        };
        let tested = self.tested(tested, at)?;
        let value_span = Span { file: at.file, bytes: value.span };
        // `family == {A, B}`: with the set on its right, the operator is all that is wrong.
        let op_span = match &whole.kind {
            ExprKind::Compare { op_span, .. } if value.span.start >= op_span.end => {
                Some(Span { file: at.file, bytes: *op_span })
            }
            _ => None,
        };
        if let ExprKind::Set(_) = value.kind {
            self.set_compared(op, op_span, value_span);
            return None;
        }
        let number = match self.value(value, at.file, at.arch, 0)? {
            Value::Number(number) => number,
            Value::Set(_) => {
                self.set_compared(op, op_span, value_span);
                return None;
            }
        };
        self.warn_pointer(&tested, number, op);
        if !tested.slot.raw {
            self.warn_foreign(value, tested.slot.arg, at);
        }
        let ordering = !matches!(op, CompareOp::Eq | CompareOp::Ne);
        self.check_range(&tested.slot, number, ordering, value_span, at)?;
        let node = match op {
            CompareOp::Eq => self.equal(&tested, number, at.arch),
            CompareOp::Ne => {
                let equal = self.equal(&tested, number, at.arch);
                self.store.not(equal)
            }
            CompareOp::Le => self.at_most(&tested, number, at.arch),
            CompareOp::Lt => self.at_most(&tested, number - 1, at.arch),
            CompareOp::Gt => {
                let rest = self.at_most(&tested, number, at.arch);
                self.store.not(rest)
            }
            CompareOp::Ge => {
                let rest = self.at_most(&tested, number - 1, at.arch);
                self.store.not(rest)
            }
        };
        Some(node)
    }

    fn set_compared(&mut self, op: CompareOp, op_span: Option<Span>, span: Span) {
        let diagnostic = Diagnostic::new(Code::E037, span, "a parameter cannot be compared with a set");
        let instead = match op {
            CompareOp::Eq => "in",
            CompareOp::Ne => "not in",
            _ => {
                self.error(diagnostic.help("compare it with one number, or test membership by `in`"));
                return;
            }
        };
        let diagnostic = diagnostic.help(format!("test membership: write `{instead}`"));
        self.error(match op_span {
            Some(op_span) => diagnostic.safe_fix(format!("write `{instead}`"), op_span, instead),
            None => diagnostic,
        });
    }

    fn member(&mut self, left: &'a Expr, set: &'a Expr, at: At<'a>) -> Option<Node> {
        if !self.mentions_parameter(left, at) {
            self.not_a_condition(left, at);
            return None;
        }
        let tested = self.tested(left, at)?;
        let ranges = match self.value(set, at.file, at.arch, 0)? {
            Value::Set(ranges) => ranges,
            Value::Number(_) => {
                let span = Span { file: at.file, bytes: set.span };
                let at = |place: u32| Span { file: at.file, bytes: ast::Span { start: place, end: place } };
                let brace = |place, text: &str| Edit { span: at(place), text: text.to_owned() };
                let edits = vec![brace(set.span.start, "{"), brace(set.span.end, "}")];
                let diagnostic = Diagnostic::new(Code::E037, span, "`in` needs a set, and this is one value")
                    .help("write `== value`, or put it in braces");
                let fix = Some(Fix { title: "put it in braces".to_owned(), edits, safety: Safety::Safe });
                self.error(Diagnostic { fix, ..diagnostic });
                return None;
            }
        };
        if !self.spend(ranges.len(), Span { file: at.file, bytes: set.span }) {
            return None;
        }
        if !tested.slot.raw {
            self.warn_foreign(set, tested.slot.arg, at);
        }
        let mut node = Node::FALSE;
        for &(low, high, span) in ranges.iter() {
            self.warn_pointer(&tested, if low == high { low } else { 1 }, CompareOp::Eq);
            let ordering = low != high;
            // A range of a set that is used elsewhere too is reported where it is written: once.
            let sound = self.check_range(&tested.slot, low, ordering, span, at).is_some()
                && self.check_range(&tested.slot, high, ordering, span, at).is_some();
            if !sound {
                continue;
            }
            let part = if ordering {
                let upto = self.at_most(&tested, high, at.arch);
                let below = self.at_most(&tested, low - 1, at.arch);
                self.store.minus(upto, below)
            } else {
                self.equal(&tested, low, at.arch)
            };
            node = self.store.or(node, part);
        }
        Some(node)
    }

    /// The calls where the tested word equals `value`, taken modulo its width.
    fn equal(&mut self, tested: &Tested, value: i128, arch: Arch) -> Node {
        if !fits_width(value, operand(tested, arch).bits) {
            return Node::FALSE;
        }
        self.under_commands(tested, arch, |store, seen| {
            // Bits of the value that the mask hides can never be seen.
            let hidden = value as u64 & !seen.operand.mask & width_mask(seen.operand.bits);
            if hidden == 0 { seen.compare(store, Comparison::Eq, value as u64) } else { Node::FALSE }
        })
    }

    /// A test of the word as it is, and as some commands cut it, each where it holds.
    fn under_commands(&mut self, tested: &Tested, arch: Arch, test: impl Fn(&mut Store, Seen) -> Node) -> Node {
        let whole = operand(tested, arch);
        let mut node = test(self.store, Seen { operand: whole, shift: 0 });
        for &Narrow { calls, bits, shift } in &tested.slot.narrow {
            let operand = Operand { bits, mask: tested.mask & width_mask(bits), signed: false, ..whole };
            let cut = test(self.store, Seen { operand, shift });
            node = self.store.ite(calls, cut, node);
        }
        node
    }

    /// The calls where the tested word, as a number, is at most `value`.
    fn at_most(&mut self, tested: &Tested, value: i128, arch: Arch) -> Node {
        self.under_commands(tested, arch, |store, seen| {
            let (lowest, highest) = number_range(seen.operand.bits, seen.operand.signed);
            if value < lowest {
                return Node::FALSE;
            }
            if value >= highest {
                return Node::TRUE;
            }
            seen.compare(store, Comparison::Le, value as u64)
        })
    }

    /// Whether a value can be meant for a parameter at all; reports it if not.
    fn warn_pointer(&mut self, tested: &Tested, value: i128, op: CompareOp) {
        let null_test = value == 0 && matches!(op, CompareOp::Eq | CompareOp::Ne);
        if tested.slot.shape.pointer && !null_test {
            self.sink.push(
                Diagnostic::new(Code::W003, tested.slot.span, format!("`{}` is a pointer", tested.slot.name))
                    .note("the kernel shows a filter the address, never what it points to")
                    .help("only a comparison with 0 says something"),
            );
        }
    }

    /// The parameter in `expr` and its mask. `expr` mentions one.
    fn tested(&mut self, expr: &'a Expr, at: At<'a>) -> Option<Tested> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.tested(inner, at),
            ExprKind::Name(name) => {
                let slot = self.slot(name, Span { file: at.file, bytes: expr.span }, at)?;
                Some(Tested { slot, mask: u64::MAX })
            }
            ExprKind::Chain { first, rest } if rest.iter().all(|(op, ..)| *op == BinaryOp::And) => {
                let operands = || std::iter::once(&**first).chain(rest.iter().map(|(_, _, operand)| operand));
                let (with, without): (Vec<_>, Vec<_>) = operands().partition(|one| self.mentions_parameter(one, at));
                let &[parameter] = with.as_slice() else { return self.not_testable(expr, at) };
                let mut tested = self.tested(parameter, at)?;
                for mask in without {
                    if !tested.slot.raw {
                        self.warn_foreign(mask, tested.slot.arg, at);
                    }
                    let value = self.number(mask, at.file, at.arch)?;
                    let span = Span { file: at.file, bytes: mask.span };
                    if !fits_width(value, tested.slot.shape.bits)
                        && !self.fits_elsewhere(&tested.slot.name, value, false, at)
                    {
                        let (bits, name) = (tested.slot.shape.bits, &tested.slot.name);
                        let mask = self.as_written(span, value);
                        let message = format!("the mask {mask} is wider than `{name}`, which has {bits} bits");
                        self.error(
                            Diagnostic::new(Code::E033, span, message)
                                .help("the kernel never looks at the bits above; leave them out"),
                        );
                        return None;
                    }
                    tested.mask &= value as u64;
                }
                Some(tested)
            }
            _ => self.not_testable(expr, at),
        }
    }

    fn not_testable(&mut self, expr: &Expr, at: At<'_>) -> Option<Tested> {
        let span = Span { file: at.file, bytes: expr.span };
        self.error(
            Diagnostic::new(Code::E034, span, "only `&` with a constant mask can be applied to a parameter")
                .help("move the calculation to the constant on the other side"),
        );
        None
    }

    fn mentions_parameter(&self, expr: &Expr, at: At<'a>) -> bool {
        match &expr.kind {
            ExprKind::Name(name) => self.is_parameter(name, at),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.mentions_parameter(inner, at),
            ExprKind::Chain { first, rest } => {
                self.mentions_parameter(first, at) || rest.iter().any(|(_, _, one)| self.mentions_parameter(one, at))
            }
            ExprKind::Compare { left, right, .. } => {
                self.mentions_parameter(left, at) || self.mentions_parameter(right, at)
            }
            ExprKind::In { left, .. } => self.mentions_parameter(left, at),
            ExprKind::And(list) | ExprKind::Or(list) => list.iter().any(|one| self.mentions_parameter(one, at)),
            ExprKind::Number(_) | ExprKind::Set(_) => false,
        }
    }

    /// A name in `expr` that is neither parameter nor constant.
    fn unknown_name(&self, expr: &'a Expr, file: FileId) -> Option<(&'a str, Span)> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let known = self.const_names.contains_key(name.as_str()) || tables::is_constant(name);
                (!known).then_some((name.as_str(), Span { file, bytes: expr.span }))
            }
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => self.unknown_name(inner, file),
            ExprKind::Chain { first, rest } => self
                .unknown_name(first, file)
                .or_else(|| rest.iter().find_map(|(_, _, operand)| self.unknown_name(operand, file))),
            _ => None,
        }
    }

    fn unknown_parameter(&mut self, name: &str, span: Span, at: At<'a>) {
        let params = self.params(at.call, at.arch);
        if self.named_elsewhere(name, at) {
            let message = format!("`{name}` of `{}` cannot be seen on {}", at.call, at.arch);
            let has = self.parameter_list(at);
            self.error(
                Diagnostic::new(Code::E036, span, message)
                    .note(format!("the call takes other arguments there: {has}"))
                    .help(format!("guard this rule by `when not arch {}`", at.arch)),
            );
            return;
        }
        let message = format!("`{}` has no parameter `{name}`", at.call);
        // Only where the old names of registers are taken does one of them come here.
        if let Some(register) = register::named(name) {
            let (new, has) = (register::name(register.index), self.parameter_list(at));
            self.error(
                Diagnostic::new(Code::E031, span, message)
                    .note(format!("it has {has}; beside such names `{name}` is no register"))
                    .help(format!("register {} is `{new}`", register.index))
                    .fix(format!("replace it by `{new}`"), span, new),
            );
            return;
        }
        let Some(params) = params else {
            self.error(
                Diagnostic::new(Code::E031, span, format!("the parameters of `{}` are not known", at.call))
                    .help("use the raw registers `reg0` to `reg5`"),
            );
            return;
        };
        // `arg2` is near to whatever looks like it, and says nothing of what was meant.
        let names = params.list.iter().map(|(name, _)| name.as_str()).filter(|name| !register::is_old_name(name));
        let near = Offer::of(name, names);
        let otherwise = if params.list.is_empty() {
            "it takes no arguments".to_owned()
        } else {
            format!("it has {}", self.parameter_list(at))
        };
        self.error(with_offer(Diagnostic::new(Code::E031, span, message), span, near.as_ref(), &otherwise));
    }

    /// Whether the call has such a parameter on another ABI of the policy.
    fn named_elsewhere(&self, name: &str, at: At<'a>) -> bool {
        self.result
            .archs
            .iter()
            .filter(|&&arch| arch != at.arch)
            .any(|&arch| self.is_parameter(name, At { arch, ..at }))
    }

    pub(super) fn params(&self, call: &'a str, arch: Arch) -> Option<Rc<Params>> {
        if let Some(known) = self.known_params.borrow().get(&(call, arch)) {
            return known.clone();
        }
        let params = self.read_params(call, arch).map(Rc::new);
        self.known_params.borrow_mut().insert((call, arch), params.clone());
        params
    }

    fn read_params(&self, call: &str, arch: Arch) -> Option<Params> {
        if let Some(declared) = self.calls.get(call) {
            let list: Vec<_> = declared.params.iter().map(|param| (param.name.clone(), param.shape)).collect();
            let split_at = declared.params.iter().position(|param| arch.bits() == 32 && param.split);
            return (!list.is_empty()).then_some(Params { list, split_at });
        }
        let syscall = self.syscall(call)?;
        let params = syscall.params(arch)?;
        let list: Vec<_> = params
            .iter()
            .map(|param| {
                let shape = Shape { bits: param.bits, signed: param.signed, pointer: param.pointer };
                (param.name.to_owned(), shape)
            })
            .collect();
        let nameable = syscall.nameable(arch);
        let split_at = (nameable < list.len()).then_some(nameable);
        Some(Params { list, split_at })
    }

    pub(super) fn is_parameter(&self, name: &str, at: At<'a>) -> bool {
        self.params(at.call, at.arch).is_some_and(|params| self.index(&params, name, at.call).is_some())
            || self.register(name, at.call).is_some()
    }

    /// The register that a name stands for where no parameter has it.
    fn register(&self, name: &str, call: &str) -> Option<Register> {
        register::named(name).filter(|register| !register.old || !self.takes_old_names(call))
    }

    /// Whether the call has parameters with the old names of registers, on any ABI: what such a name means may not
    /// change from one ABI to the next.
    fn takes_old_names(&self, call: &str) -> bool {
        let declared = self.calls.get(call).map(|call| call.params.as_slice()).unwrap_or_default();
        declared.iter().any(|param| register::is_old_name(&param.name))
            || self.syscall(call).is_some_and(register::taken_by)
    }

    pub(super) fn index(&self, params: &Params, name: &str, call: &str) -> Option<usize> {
        let position = |name: &str| params.list.iter().position(|(known, _)| known == name);
        position(name).or_else(|| position(self.syscall(call)?.alias(name)?))
    }

    fn slot(&mut self, name: &str, span: Span, at: At<'a>) -> Option<Slot> {
        let params = self.params(at.call, at.arch);
        let own = params.as_ref().and_then(|params| self.index(params, name, at.call));
        let (Some(params), Some(index)) = (&params, own) else {
            let register = self.register(name, at.call)?;
            return Some(self.raw_slot(register, params.as_deref(), name, span, at));
        };
        if params.split_at.is_some_and(|split| index >= split) {
            let message = format!("`{name}` of `{}` has no fixed register on {}", at.call, at.arch);
            self.error(
                Diagnostic::new(Code::E036, span, message)
                    .note("64-bit values are split over two registers there, and what follows moves along")
                    .help(format!("guard this rule by `when not arch {}`, or use the raw registers there", at.arch)),
            );
            return None;
        }
        let arg = index as u8;
        // A call that the policy declares has the widths that it says.
        let call = if self.calls.contains_key(at.call) { None } else { self.syscall(at.call) };
        let narrow = call.map(|call| width::narrow(self.store, call, at.arch, arg)).unwrap_or_default();
        let slot = Slot { arg, shape: params.list[index].1, raw: false, name: name.to_owned(), span, narrow };
        self.warn_renamed(&slot, at);
        Some(slot)
    }

    fn raw_slot(&mut self, register: Register, params: Option<&Params>, name: &str, span: Span, at: At<'a>) -> Slot {
        let index = usize::from(register.index);
        let named = params.filter(|params| params.split_at.is_none_or(|split| index < split));
        if let Some((known, shape)) = named.and_then(|params| params.list.get(index))
            && shape.bits < 64
            && at.arch.bits() == 64
        {
            self.sink.push(
                Diagnostic::new(Code::W004, span, format!("`{name}` is all 64 bits of the register"))
                    .note(format!("the kernel looks at the low {} only: `{known}`", shape.bits))
                    .help(format!("write `{known}`"))
                    .fix(format!("replace it by `{known}`"), span, known.clone()),
            );
        }
        if register.old {
            let new = register::name(register.index);
            self.sink.push(
                Diagnostic::new(Code::W020, span, format!("`{name}` is the old name of `{new}`"))
                    .help(format!("write `{new}`, which no parameter can be called"))
                    .safe_fix(format!("replace it by `{new}`"), span, new),
            );
        }
        Slot { arg: register.index, shape: RAW, raw: true, name: name.to_owned(), span, narrow: Vec::new() }
    }

    /// A parameter that has the old name of a register, and did name that one before version 0.1.
    fn warn_renamed(&mut self, slot: &Slot, at: At<'a>) {
        let Some(before) = register::named(&slot.name) else { return };
        if before.index == slot.arg && slot.shape == RAW {
            return;
        }
        let (name, register) = (&slot.name, slot.arg);
        self.sink.push(
            Diagnostic::new(
                Code::W020,
                slot.span,
                format!("`{name}` is the parameter of `{}` now: register {register}", at.call),
            )
            .note(format!("before version 0.1 it was register {}, all 64 bits of it", before.index))
            .help(format!("if that one is meant, write `{}`; if not, silence this", register::name(before.index))),
        );
    }

    /// Remembers whether a condition always or never holds; answers the set (empty for a mistake).
    fn note_constancy(&mut self, expr: &Expr, at: At<'_>, node: Option<Node>) -> Node {
        let Some(node) = node else { return Node::FALSE };
        self.note_constancy_at(Span { file: at.file, bytes: expr.span }, node);
        node
    }

    pub(super) fn note_constancy_at(&mut self, span: Span, node: Node) {
        if !self.is_builtin(span.file) {
            let known = self.constancy.entry(span).or_insert(Constancy { always: true, never: true });
            known.always &= node == Node::TRUE;
            known.never &= node == Node::FALSE;
        }
    }

    pub(super) fn report_constancy(&mut self) {
        // A condition that is constant explains all that is around it: smaller places first.
        let mut found: Vec<(Span, Constancy)> =
            self.constancy.iter().filter(|(_, known)| known.is_worth_saying()).map(|(&s, &k)| (s, k)).collect();
        found.sort_unstable_by_key(|&(span, _)| (span.file, span.bytes.end - span.bytes.start, span));
        // So does a mistake in it. A warning there (a pointer compared, a raw register) says another thing.
        let errors = self.sink.diagnostics.iter().filter(|known| known.severity == Severity::Error);
        let mut explained: BTreeSet<Span> = errors.filter_map(|known| Some(known.primary.as_ref()?.span)).collect();
        for (span, known) in found {
            // Places of one text lie inside each other or apart: the first that begins in here ends in here.
            let start = Span { file: span.file, bytes: ast::Span { start: span.bytes.start, end: 0 } };
            let here = |other: &&Span| other.file == span.file && other.bytes.start <= span.bytes.end;
            if explained.range(start..).take_while(here).any(|other| other.bytes.end <= span.bytes.end) {
                continue;
            }
            explained.insert(span);
            if known.never
                && self.empty_claims.iter().any(|claim| {
                    claim.file == span.file
                        && claim.bytes.start <= span.bytes.start
                        && span.bytes.end <= claim.bytes.end
                })
            {
                continue;
            }
            let (code, what, help) = if known.never {
                (Code::W006, "this is never true", "the rule claims nothing here: mend the condition, or remove it")
            } else {
                (Code::W005, "this is always true", "mend the condition, or remove it")
            };
            self.sink.push(Diagnostic::new(code, span, what).help(help));
        }
    }
}

fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq | CompareOp::Ne => op,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
    }
}

/// What is compared: a number, and how many bits of the register lie below it.
#[derive(Clone, Copy)]
struct Seen {
    operand: Operand,
    shift: u8,
}

impl Seen {
    fn compare(self, store: &mut Store, comparison: Comparison, value: u64) -> Node {
        let Self { operand, shift } = self;
        // What lies below is masked away.
        let operand = Operand { bits: operand.bits + shift, mask: operand.mask << shift, ..operand };
        store.compare(operand, comparison, value << shift)
    }
}

/// The word as this ABI has it.
fn operand(tested: &Tested, arch: Arch) -> Operand {
    let Slot { arg, shape, raw, .. } = tested.slot;
    let register = width_mask(arch.bits());
    // A raw register is 64 bits whose upper half a 32-bit ABI fills with zeros; a `long` is 32 bits there.
    let bits = if raw { shape.bits } else { shape.bits.min(arch.bits()) };
    Operand { arg, bits, mask: tested.mask & register & width_mask(bits), signed: shape.signed }
}

fn width_mask(bits: u8) -> u64 {
    u64::MAX >> (64 - u32::from(bits))
}
