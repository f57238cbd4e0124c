//! What a user reads for each rule of the grammar.
//!
//! ```text
//! Rule::lbrace → "`{`"        Rule::name → "a name"        Rule::broken_top → nothing
//! ```
//!
//! One exhaustive match: a new rule does not compile before it has its word.

use crate::syntax::Rule;

/// The word for `rule` in "expected …"; `None` where it says nothing to a user.
pub fn word(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::statement => "a statement",
        Rule::include | Rule::kw_include => "`include`",
        Rule::within | Rule::kw_within => "`within`",
        Rule::default | Rule::kw_default => "`default`",
        Rule::arch | Rule::kw_arch => "`arch`",
        Rule::constant | Rule::kw_const => "`const`",
        Rule::group | Rule::kw_group => "`group`",
        Rule::when | Rule::kw_when => "`when`",
        Rule::assert | Rule::kw_assert => "`assert`",
        Rule::waive | Rule::kw_waive => "`waive`",
        Rule::kw_from => "`from`",
        Rule::kw_because => "`because`",
        Rule::syscall | Rule::kw_syscall => "`syscall`",
        Rule::flags | Rule::kw_flags => "`flags`",
        Rule::listener | Rule::kw_listener => "`listener`",
        Rule::kw_override => "`override`",
        Rule::kw_except => "`except`",
        Rule::kw_not => "`not`",
        Rule::kw_on => "`on`",
        Rule::kw_cap => "`cap`",
        Rule::kw_kernel => "`kernel`",
        Rule::kw_refused => "`refused`",
        Rule::kw_runs => "`runs`",
        Rule::action_rule => "a rule such as `allow { … }`",
        Rule::action | Rule::action_word | Rule::action_name => "an action such as `allow`",
        Rule::claim => "a claim such as `deny { … }`",
        Rule::guard | Rule::guard_arch | Rule::guard_cap | Rule::guard_kernel => {
            "a condition: `arch`, `cap` or `kernel`"
        }
        Rule::arch_name => "an architecture",
        Rule::name => "a name",
        Rule::group_name => "a group such as `@name`",
        Rule::pattern | Rule::call => "a syscall or a group",
        Rule::param => "a parameter such as `fd: int`",
        Rule::type_name => "a type such as `int`",
        Rule::expr | Rule::set_item | Rule::number | Rule::paren | Rule::set => "a value",
        Rule::tilde | Rule::bang => "a value",
        Rule::version => "a version such as `5.11`",
        Rule::string => "a text in double quotes",
        Rule::library => "a path in `\"…\"` or `<…>`",
        Rule::patterns | Rule::body | Rule::claims | Rule::flag_list | Rule::lbrace => "`{`",
        Rule::rbrace => "`}`",
        Rule::action_argument | Rule::arguments | Rule::params | Rule::lparen => "`(`",
        Rule::rparen => "`)`",
        Rule::except => "`except`",
        Rule::comma | Rule::missing_comma => "`,`",
        Rule::colon => "`:`",
        Rule::star => "`*`",
        Rule::dotdot => "`..`",
        Rule::assign => "`=`",
        Rule::or_or
        | Rule::eq
        | Rule::ne
        | Rule::le
        | Rule::lt
        | Rule::gt
        | Rule::shl
        | Rule::shr
        | Rule::pipe
        | Rule::caret
        | Rule::amp
        | Rule::plus
        | Rule::minus
        | Rule::not_in
        | Rule::kw_in => "an operator",
        // Both join guards and conditions; where one is expected, the other operators say it too.
        Rule::and_and => "`&&`",
        Rule::ge => "`>=`",
        Rule::EOI => "the end",
        Rule::file
        | Rule::broken_top
        | Rule::broken_statement
        | Rule::broken_claim
        | Rule::broken_pattern
        | Rule::broken_element
        | Rule::broken_condition
        | Rule::stray_comma
        | Rule::slip
        | Rule::unclosed
        | Rule::unclosed_set
        | Rule::unclosed_paren
        | Rule::statement_start
        | Rule::declaration_start
        | Rule::action_start
        | Rule::lone_statement
        | Rule::lone_claim
        | Rule::lone_pattern
        | Rule::lone_element
        | Rule::lone_condition
        | Rule::gap
        | Rule::first_word
        | Rule::action_word_start
        | Rule::line_comment
        | Rule::block_comment
        | Rule::arch_names
        | Rule::waived_from
        | Rule::operand
        | Rule::prefix
        | Rule::primary
        | Rule::infix
        | Rule::outcome
        | Rule::outcome_name
        | Rule::close
        | Rule::close_set
        | Rule::close_paren
        | Rule::element_end
        | Rule::argument_end
        | Rule::set_item_end
        | Rule::junk
        | Rule::junk_top
        | Rule::element_junk
        | Rule::block
        | Rule::round
        | Rule::square
        | Rule::blank
        | Rule::same_line
        | Rule::lines
        | Rule::more
        | Rule::path
        | Rule::text_in_quotes
        | Rule::word_char
        | Rule::ident
        | Rule::keyword => return None,
    })
}

/// `["`{`", "`(`"]` → "`{` or `(`".
pub fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The eight actions.
pub const ACTIONS: [&str; 8] = ["allow", "log", "deny", "kill", "kill_thread", "trap", "trace", "notify"];

/// What an `assert` may say in place of an action: whether calls run.
pub const OUTCOMES: [&str; 2] = ["refused", "runs"];

/// The words that begin every other statement.
pub const KEYWORDS: [&str; 13] = [
    "include", "default", "override", "arch", "const", "group", "when", "assert", "within", "waive", "syscall",
    "flags", "listener",
];

/// The word of this language for one of another filter language: JSON's `SCMP_ACT_ERRNO`, systemd's and firewalls' words.
pub fn from_other_languages(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "permit" | "accept" | "pass" | "scmp_act_allow" => "allow",
        "reject" | "block" | "errno" | "error" | "forbid" | "scmp_act_errno" => "deny",
        "audit" | "scmp_act_log" => "log",
        "import" | "use" | "source" | "require" => "include",
        "let" | "define" | "var" | "set" => "const",
        "if" => "when",
        "scmp_act_kill" | "scmp_act_kill_thread" => "kill_thread",
        "scmp_act_kill_process" | "kill_process" => "kill",
        "scmp_act_notify" | "user_notif" => "notify",
        "scmp_act_trap" => "trap",
        "scmp_act_trace" => "trace",
        "policy" | "fallback" | "defaultaction" => "default",
        _ => return None,
    })
}
