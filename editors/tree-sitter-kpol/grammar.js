/**
 * @file The syntax of kpol for editors.
 *
 * It is made after `grammar/src/kpol.pest`, which alone decides what kpol is: whatever that grammar takes is taken
 * here, and `tests/tests/tree_sitter.rs` tries it. What is wrong may pass here: the compiler says what it is.
 *
 * Words are reserved nowhere in kpol: `allow { kill }` names a call. Since `word` is the identifier, a keyword is one
 * only in a state in which it may stand.
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

const ACTIONS = ["allow", "log", "deny", "kill", "kill_thread", "trap", "trace", "notify"];

// From weak to strong, as in `grammar/src/expr.rs`.
const OPERATORS = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">="],
  ["|"],
  ["^"],
  ["&"],
  ["<<", ">>"],
  ["+", "-"],
];
const COMPARISON = 3;
const PREFIX = OPERATORS.length + 1;

/** Elements between commas; the last may be followed by one. */
const list = (element) => optional(seq(element, repeat(seq(",", element)), optional(",")));
const list1 = (element) => seq(element, repeat(seq(",", element)), optional(","));

module.exports = grammar({
  name: "kpol",

  word: ($) => $.identifier,

  extras: ($) => [/[ \t\r\n]/, $.line_comment, $.doc_comment, $.file_comment, $.block_comment],

  // Behind `arch x86_64,` a word may be one more ABI or begin a rule: what follows it tells.
  conflicts: ($) => [[$._architectures]],

  supertypes: ($) => [$._statement, $._expression],

  rules: {
    source_file: ($) => repeat($._statement),

    _statement: ($) =>
      choice(
        $.rule,
        $.group,
        $.const,
        $.when,
        $.include,
        $.default,
        $.arch,
        $.assert,
        $.within,
        $.waive,
        $.syscall,
        $.flags,
        $.listener,
      ),

    include: ($) => seq("include", field("path", choice(alias($.string, $.path), $.library_path))),
    within: ($) => seq("within", field("path", choice(alias($.string, $.path), $.library_path))),
    waive: ($) =>
      seq(
        "waive",
        field("title", $.string),
        optional(seq("from", field("path", choice(alias($.string, $.path), $.library_path)))),
        "because",
        field("reason", $.string),
      ),
    default: ($) => seq(optional("override"), "default", field("action", $.action)),
    arch: ($) => seq("arch", $._architectures),
    const: ($) => seq("const", field("name", $.identifier), "=", field("value", $._expression)),
    group: ($) => seq("group", field("name", $.group_name), field("body", $.patterns)),
    rule: ($) => seq(optional("override"), field("action", alias($._known_action, $.action)), field("body", $.patterns)),
    when: ($) => seq("when", $._guard, repeat(seq("&&", $._guard)), field("body", $.block)),
    assert: ($) => seq("assert", field("message", $.string), field("body", $.claims)),
    syscall: ($) =>
      seq(
        "syscall",
        field("name", alias($.identifier, $.call_name)),
        optional(field("parameters", $.parameters)),
        "=",
        field("number", $._expression),
        "on",
        $._architectures,
      ),
    flags: ($) => seq("flags", "{", list(alias($.identifier, $.flag)), "}"),
    listener: ($) => seq("listener", field("path", alias($.string, $.path)), optional(field("metadata", $.string))),

    // Where no statement can begin the compiler takes any word, to say later that it is no action.
    action: ($) => seq(choice($.action_name, alias($.identifier, $.unknown_action)), optional($._argument)),
    _known_action: ($) => seq($.action_name, optional($._argument)),
    _argument: ($) => seq("(", field("argument", $._expression), ")"),
    action_name: ($) => choice(...ACTIONS),

    // Without braces a list may end in a comma too.
    _architectures: ($) => list1(alias(choice($.identifier, ...ACTIONS), $.architecture)),

    block: ($) => seq("{", repeat($._statement), "}"),
    _guard: ($) => seq(optional("not"), choice($.arch_guard, $.cap_guard, $.kernel_guard)),
    arch_guard: ($) => seq("arch", list1(alias($.identifier, $.architecture))),
    cap_guard: ($) => seq("cap", alias($.identifier, $.capability)),
    kernel_guard: ($) => seq("kernel", ">=", $.version),

    claims: ($) => seq("{", repeat(seq($.claim, optional(","))), "}"),
    claim: ($) =>
      seq(optional("not"), choice(field("outcome", $.outcome), field("action", $.action)), field("body", $.patterns)),
    // Whether calls run, in place of an action.
    outcome: ($) => choice("refused", "runs"),

    parameters: ($) => seq("(", list($.parameter), ")"),
    parameter: ($) => seq(field("name", alias($.identifier, $.parameter_name)), ":", field("type", $.type)),
    type: ($) => seq($._type_word, repeat(choice($._type_word, "*"))),
    _type_word: ($) => alias($.identifier, $.type_word),

    patterns: ($) => seq("{", list($._pattern), "}"),
    _pattern: ($) => choice($.call, $.group_name, $.except),
    except: ($) => seq(choice($.call, $.group_name, $.except), "except", $.patterns),
    call: ($) => seq(field("name", alias($.identifier, $.call_name)), optional(field("conditions", $.conditions))),
    conditions: ($) => seq("(", list($._expression), ")"),

    _expression: ($) =>
      choice($.binary, $.membership, $.unary, $.parenthesized, $.set, $.number, $.identifier),
    binary: ($) =>
      choice(
        ...OPERATORS.map((operators, level) =>
          prec.left(
            level + 1,
            seq(
              field("left", $._expression),
              field("operator", operators.length === 1 ? operators[0] : choice(...operators)),
              field("right", $._expression),
            ),
          ),
        ),
      ),
    membership: ($) =>
      prec.left(
        COMPARISON,
        seq(field("left", $._expression), optional("not"), "in", field("right", $._expression)),
      ),
    unary: ($) => prec(PREFIX, seq(field("operator", choice("!", "~", "-")), field("operand", $._expression))),
    parenthesized: ($) => seq("(", $._expression, ")"),
    set: ($) => seq("{", list(choice($._expression, $.range)), "}"),
    range: ($) => seq(field("low", $._expression), "..", field("high", $._expression)),

    group_name: ($) => /@[A-Za-z][A-Za-z0-9_\-]*/,
    identifier: ($) => /[A-Za-z_][A-Za-z0-9_]*/,
    number: ($) => /[0-9][A-Za-z0-9_]*/,
    version: ($) => /[0-9]+(\.[0-9]+)*/,
    // Both end with their line.
    string: ($) => /"([^"\\\r\n]|\\[^\r\n])*"/,
    library_path: ($) => /<([^<>{}()"\/\r\n]|<|\/[^>{}()"\/*\r\n])*\/?>/,

    // The longest wins, so `////` begins a plain comment.
    line_comment: ($) => token(choice(/\/\/([^\/!\n][^\n]*)?/, /\/\/\/\/[^\n]*/)),
    doc_comment: ($) => /\/\/\/([^\/\n][^\n]*)?/,
    file_comment: ($) => /\/\/![^\n]*/,
    block_comment: ($) => /\/\*([^*]|\*+[^*\/])*\*+\//,
  },
});
