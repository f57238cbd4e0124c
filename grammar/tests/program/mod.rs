//! Random programs without a syntax error, for whatever reads kpol.
//!
//! ```text
//! choices 3 0 1 …, gaps " " "\n// own line\n" …   →   const A =
//!                                                     // own line
//!                                                     fd | 1
//! ```

use proptest::prelude::*;

/// A sound program, by choices that a list of numbers makes.
struct Program {
    choices: std::vec::IntoIter<u16>,
    tokens: Vec<String>,
    depth: usize,
}

impl Program {
    fn pick(&mut self, below: usize) -> usize {
        self.choices.next().map_or(0, usize::from) % below
    }

    fn put(&mut self, token: &str) {
        self.tokens.push(token.to_owned());
    }

    fn word(&mut self, words: &[&str]) {
        let index = self.pick(words.len());
        self.put(words[index]);
    }

    fn list(&mut self, most: usize, mut element: impl FnMut(&mut Self)) {
        let count = self.pick(most + 1);
        for index in 0..count {
            element(self);
            if index + 1 < count || self.pick(2) == 0 {
                self.put(",");
            }
        }
    }

    fn patterns(&mut self) {
        self.put("{");
        self.depth += 1;
        self.list(9, Self::pattern);
        self.depth -= 1;
        self.put("}");
    }

    fn pattern(&mut self) {
        match self.pick(6) {
            0 => self.word(&["@file-system", "@io", "@a_1"]),
            1 => {
                self.word(&["socket", "ioctl", "kill"]);
                self.put("(");
                self.list(4, Self::expr);
                self.put(")");
            }
            _ => self.word(&["read", "write", "when", "kill", "process_vm_writev", "epoll_wait", "rt_sigprocmask"]),
        }
        if self.depth < 4 && self.pick(8) == 7 {
            self.put("except");
            self.patterns();
        }
    }

    fn expr(&mut self) {
        self.depth += 1;
        let operands = if self.depth > 5 { 1 } else { 1 + self.pick(4) };
        let mut compared = false;
        for index in 0..operands {
            if index > 0 {
                match self.pick(6) {
                    0 if !compared => {
                        self.word(&["==", "!=", "<", "<=", ">", ">="]);
                        compared = true;
                    }
                    1 if !compared => {
                        if self.pick(2) == 0 {
                            self.put("not");
                        }
                        self.put("in");
                        compared = true;
                    }
                    2 | 3 => {
                        self.word(&["&&", "||"]);
                        compared = false;
                    }
                    _ => self.word(&["|", "&", "^", "<<", ">>", "+", "-"]),
                }
            }
            self.operand();
        }
        self.depth -= 1;
    }

    fn operand(&mut self) {
        if self.pick(6) == 5 {
            self.word(&["~", "-"]);
        }
        match self.pick(7) {
            0 if self.depth < 5 => {
                self.put("(");
                self.expr();
                self.put(")");
            }
            1 if self.depth < 5 => {
                self.put("{");
                self.list(5, |program| {
                    program.expr();
                    if program.pick(4) == 3 {
                        program.put("..");
                        program.expr();
                    }
                });
                self.put("}");
            }
            2 | 3 => self.word(&["1", "0x5401", "0o17", "0b1_0", "18446744073709551615"]),
            _ => self.word(&["fd", "family", "AF_UNIX", "CLONE_NEWUSER", "SOCK_TYPE_MASK", "PR_SET_NAME"]),
        }
    }

    fn action(&mut self) {
        self.word(&["allow", "deny", "kill", "kill_thread", "log", "trap", "trace", "notify"]);
        if self.pick(3) == 2 {
            self.put("(");
            self.expr();
            self.put(")");
        }
    }

    fn archs(&mut self) {
        self.word(&["x86_64", "aarch64"]);
        for _ in 0..self.pick(3) {
            self.put(",");
            self.word(&["arm", "riscv64"]);
        }
    }

    fn rule(&mut self) {
        self.action();
        self.patterns();
    }

    fn statement(&mut self) {
        match self.pick(16) {
            0 => {
                self.put("include");
                self.word(&["\"a//b.kpol\"", "<profiles/base>", "\"\""]);
            }
            1 => {
                if self.pick(2) == 1 {
                    self.put("override");
                }
                self.put("default");
                self.action();
            }
            2 => {
                self.put("arch");
                self.archs();
            }
            3 => {
                self.put("const");
                self.word(&["A", "WEB_FAMILIES"]);
                self.put("=");
                self.expr();
            }
            4 | 5 => {
                self.put("group");
                self.word(&["@worker", "@x-1"]);
                self.patterns();
            }
            6 if self.depth < 4 => {
                self.put("when");
                for index in 0..=self.pick(2) {
                    if index > 0 {
                        self.put("&&");
                    }
                    if self.pick(3) == 2 {
                        self.put("not");
                    }
                    match self.pick(3) {
                        0 => {
                            self.put("arch");
                            self.archs();
                        }
                        1 => {
                            self.put("cap");
                            self.put("CAP_SYS_ADMIN");
                        }
                        _ => {
                            self.put("kernel");
                            self.put(">=");
                            self.word(&["5.11", "6"]);
                        }
                    }
                }
                self.put("{");
                self.depth += 1;
                for _ in 0..self.pick(4) {
                    self.statement();
                }
                self.depth -= 1;
                self.put("}");
            }
            7 => {
                self.put("assert");
                self.word(&["\"AF_ALG stays shut\"", "\"\\\"quoted\\\" /* no comment */\""]);
                self.put("{");
                for _ in 0..self.pick(4) {
                    if self.pick(2) == 1 {
                        self.put("not");
                    }
                    if self.pick(3) == 2 {
                        self.word(&["refused", "runs"]);
                        self.patterns();
                    } else {
                        self.rule();
                    }
                    if self.pick(2) == 1 {
                        self.put(",");
                    }
                }
                self.put("}");
            }
            8 => {
                self.put("within");
                self.put("\"org/base.kpol\"");
            }
            9 => {
                self.put("syscall");
                self.put("listns");
                if self.pick(2) == 1 {
                    self.put("(");
                    self.list(3, |program| {
                        program.word(&["fd", "path"]);
                        program.put(":");
                        for word in [&["int"][..], &["const", "char", "*"], &["unsigned", "long"], &["void", "*", "*"]]
                            [program.pick(4)]
                        {
                            program.put(word);
                        }
                    });
                    self.put(")");
                }
                self.put("=");
                self.put("470");
                self.put("on");
                self.archs();
            }
            10 => {
                self.put("flags");
                self.put("{");
                self.list(3, |program| program.word(&["log", "tsync", "spec_allow"]));
                self.put("}");
            }
            11 => {
                self.put("listener");
                self.put("\"/run/x.sock\"");
                if self.pick(2) == 1 {
                    self.put("\"meta\"");
                }
            }
            _ => {
                if self.pick(4) == 3 {
                    self.put("override");
                }
                self.rule();
            }
        }
    }
}

/// What may stand between two tokens.
pub const GAPS: &[&str] = &[
    " ",
    " ",
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\n",
    "\n\n",
    "\n\n\n\n",
    "\t",
    "\r\n",
    " // end of line\n",
    "\n// own line\n",
    "\n\n    // after a blank\n\n",
    " /* inline */ ",
    "/**/",
    "\n/* own */ ",
    "\n/* own */\n",
    " /* two\n   lines */ ",
    "\n/// doc\n",
    "\n//! file\n",
    " /// odd\r\n",
    " // trailing blanks  \n",
    "// a\n// b\n",
];

/// Sound programs with blanks and comments of every kind between any two tokens.
pub fn program(gaps: &'static [&'static str]) -> impl Strategy<Value = String> {
    let choices = prop::collection::vec(any::<u16>(), 0..300);
    let blanks = prop::collection::vec(prop_oneof![3 => Just(" "), 1 => prop::sample::select(gaps)], 1..200);
    (choices, blanks).prop_map(|(choices, blanks)| {
        let mut program = Program { choices: choices.into_iter(), tokens: Vec::new(), depth: 0 };
        for _ in 0..1 + program.pick(6) {
            program.statement();
        }
        let mut text = String::new();
        for (index, token) in program.tokens.iter().enumerate() {
            text.push_str(token);
            text.push_str(blanks[index % blanks.len()]);
        }
        text
    })
}
