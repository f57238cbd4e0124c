//! A filter as one page for a browser.
//!
//! ```text
//! what it is · how many calls get what · what is proven · [search] [action] [ABI] [with conditions]
//! socket     allow         family == AF_UNIX     web.kpol:12
//!            deny(EPERM)   otherwise             web.kpol:2
//! ```
//!
//! The page needs nothing beside it: no network, no other file. Without scripts everything is there to read; the script
//! only hides rows, and shows the controls that ask for it.
//!
//! INVARIANT: text of policies gets into the page through [`escaped`] only. Should it ever fail, the page's own rule for
//! contents still lets no script run but the one whose hash it names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kpol_compiler::answer::show::{Fate, Page, Part, Row, When};
use kpol_compiler::diagnostic::render::clean_line;
use kpol_compiler::driver::load::Filter;
use kpol_compiler::spec::arch::X32_BIT;
use kpol_compiler::spec::{Action, Arch};

use super::text::{how_much, short};
use crate::filters::{list, many};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of both, as a content security policy has it; a test says when they have changed.
const STYLE_HASH: &str = "VaonGqGM6W+M2kPCYTZA2IAAYLxzvhmBvdNFA7Kq8lM=";
const SCRIPT_HASH: &str = "GfgEuz4lIkY3fQ5Zosi10aARZA7BO/4bgjRQ4J8ZpJ4=";

/// The page.
pub fn page(page: &Page, filter: &Filter) -> String {
    let name = escaped(short(filter));
    let mut html = format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\">
<title>{name}: what every call gets</title>
<style>{STYLE}</style>
</head>
<body>
"
    );
    header(&mut html, page, filter, &name);
    html.push_str("<main>\n");
    tools(&mut html, page, filter);
    let (class, heading) = match filter.rules {
        Some(_) => ("", "What it gets, when, and where that is said"),
        None => (" class=\"bare\"", "What it gets, and when"),
    };
    let _ = write!(
        html,
        "<table{class}>\n<caption>Every call that has a name. Where lines of a call have conditions, each call gets the one line \
         that fits it.</caption>\n<thead><tr><th scope=\"col\">Call</th><th scope=\"col\">{heading}</th></tr></thead>\n<tbody>\n",
    );
    for row in &page.calls {
        call(&mut html, row);
    }
    let _ = write!(
        html,
        "</tbody>\n</table>\n<p id=\"none\" hidden>No call is like that.</p>\n</main>\n<footer><p>Made by kpolc {} from <span class=\"mono\">{name}</span>. Conditions are on the values that the kernel takes, each argument in the width that it has there.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

fn header(html: &mut String, page: &Page, filter: &Filter, name: &str) {
    let _ = write!(
        html,
        "<header>\n<h1>{name}</h1>\n<p class=\"soft\">{}</p>\n",
        match filter.spoken.len() {
            0 => "No ABI may make calls".to_owned(),
            _ => {
                let others: Vec<String> = page.others.iter().map(|other| escaped(other)).collect();
                format!("A seccomp filter for {}; {}", list(&filter.spoken), others.join("; "))
            }
        }
    );
    if let Some(about) = &page.about {
        html.push_str("<div class=\"about\">\n");
        for paragraph in about.split("\n\n") {
            let _ = writeln!(html, "<p>{}</p>", escaped(paragraph));
        }
        html.push_str("</div>\n");
    }
    // Most permissive first; what depends stands between what runs and what does not.
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    let mut depends = 0;
    for row in &page.calls {
        match row.always() {
            Some(action) => *counts.entry(action).or_default() += 1,
            None => depends += 1,
        }
    }
    html.push_str("<div class=\"bar\" aria-hidden=\"true\">");
    let (runs, stops): (Vec<_>, Vec<_>) = counts.iter().rev().partition(|(action, _)| action.runs());
    let widths = |html: &mut String, part: &[(&Action, &usize)]| {
        for (action, count) in part {
            let _ = write!(html, "<span class=\"{} g{}\"></span>", kind(**action), bucket(**count, page.calls.len()));
        }
    };
    widths(html, &runs);
    if depends > 0 {
        let _ = write!(html, "<span class=\"ask g{}\"></span>", bucket(depends, page.calls.len()));
    }
    widths(html, &stops);
    html.push_str("</div>\n<ul class=\"sums\">\n");
    let sum = |html: &mut String, part: &[(&Action, &usize)]| {
        for (action, count) in part {
            let _ =
                writeln!(html, "<li class=\"{}\"><b>{count}</b>{}</li>", kind(**action), escaped(&action.to_string()));
        }
    };
    sum(html, &runs);
    if depends > 0 {
        let _ = writeln!(html, "<li class=\"ask\"><b>{depends}</b>it depends</li>");
    }
    sum(html, &stops);
    html.push_str("</ul>\n");
    for (archs, action) in &page.rest {
        let on = if archs.len() == filter.spoken.len() { String::new() } else { format!(" on {}", list(archs)) };
        let _ = writeln!(html, "<p class=\"soft\">Numbers without a name{on} get {}.</p>", chip(*action));
    }
    html.push_str("<h2>What can be brought about</h2>\n<ul class=\"effects\">\n");
    for of in &page.effects {
        let (name, what) = (escaped(of.effect.name()), escaped(&of.effect.summary()));
        let _ = writeln!(html, "<li><b title=\"{what}\">{name}</b> {}</li>", escaped(&how_much(of)));
    }
    if page.effects.is_empty() {
        html.push_str("<li>None of the effects that kpolc knows.</li>\n");
    }
    html.push_str("</ul>\n");
    if !page.holds.is_empty() {
        html.push_str("<h2>Proven for all arguments</h2>\n<ul class=\"holds\">\n");
        page.holds.iter().for_each(|held| html.push_str(&format!("<li>{}</li>\n", escaped(held))));
        html.push_str("</ul>\n");
    }
    if !page.waived.is_empty() {
        html.push_str("<h2>Waived</h2>\n<ul class=\"waived\">\n");
        page.waived.iter().for_each(|waiver| html.push_str(&format!("<li>{}</li>\n", escaped(&waiver.line()))));
        html.push_str("</ul>\n");
    }
    if !page.extras.is_empty() || !filter.remarks.is_empty() {
        html.push_str("<h2>To know</h2>\n<ul>\n");
        for line in page.extras.iter().chain(&filter.remarks) {
            let _ = writeln!(html, "<li>{}</li>", escaped(line));
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</header>\n");
}

/// A share of the bar in steps, each with a class in the style: the page's rule allows no inline styles.
fn bucket(count: usize, all: usize) -> usize {
    (count * 40).checked_div(all).unwrap_or(0).clamp(1, 40)
}

fn tools(html: &mut String, page: &Page, filter: &Filter) {
    let mut actions: Vec<Action> =
        page.calls.iter().flat_map(|row| &row.fates).flat_map(|fate| &fate.parts).map(|part| part.action).collect();
    actions.sort_unstable_by(|one, other| other.cmp(one));
    actions.dedup();
    let option = |word: &str| format!("<option value=\"{word}\">{word}</option>");
    let actions: String = actions.iter().map(|action| option(&escaped(&action.to_string()))).collect();
    let archs: String = filter.spoken.iter().map(|arch| option(arch.name())).collect();
    let one_abi = if filter.spoken.len() < 2 { " hidden" } else { "" };
    let _ = write!(
        html,
        "<div class=\"tools\" id=\"tools\" role=\"search\" hidden>
<label><span>Search</span><input type=\"search\" id=\"text\" placeholder=\"socket, 41, AF_UNIX, …\" title=\"/ comes here, Escape clears\" autocomplete=\"off\" spellcheck=\"false\"></label>
<label><span>Gets</span><select id=\"action\"><option value=\"\">anything</option>{actions}</select></label>
<label{one_abi}><span>On</span><select id=\"abi\"><option value=\"\">any ABI</option>{archs}</select></label>
<label><input type=\"checkbox\" id=\"cond\"><span>with conditions</span></label>
<output id=\"count\" aria-live=\"polite\">{}</output>
</div>
",
        many(page.calls.len(), "call")
    );
}

fn call(html: &mut String, row: &Row) {
    let name = escaped(&row.name);
    // ABIs of one number together, in the order of their first.
    let mut numbers: Vec<(u32, Vec<&str>)> = Vec::new();
    for (arch, nr) in &row.numbers {
        let own = if *arch == Arch::X32 { nr.0 & !X32_BIT } else { nr.0 };
        match numbers.iter_mut().find(|(number, _)| *number == own) {
            Some((_, archs)) => archs.push(arch.name()),
            None => numbers.push((own, vec![arch.name()])),
        }
    }
    let numbers: Vec<String> = numbers.iter().map(|(number, archs)| format!("{} {number}", archs.join(", "))).collect();
    let numbers = match numbers.as_slice() {
        [first, rest @ ..] if row.numbers.len() > 4 && !rest.is_empty() => {
            format!("<details><summary>{first}, …</summary>{}</details>", rest.join(" · "))
        }
        numbers => format!("<small>{}</small>", numbers.join(" · ")),
    };
    let _ = write!(
        html,
        "<tr id=\"{name}\"><th scope=\"row\"><a class=\"mono\" href=\"#{name}\">{name}</a>{numbers}</th><td><ul>",
    );
    let differ = row.fates.len() > 1;
    for fate in &row.fates {
        for part in &fate.parts {
            line(html, fate, part, differ);
        }
    }
    html.push_str("</ul></td></tr>\n");
}

fn line(html: &mut String, fate: &Fate, part: &Part, differ: bool) {
    let archs: Vec<&str> = fate.archs.iter().map(|arch: &Arch| arch.name()).collect();
    let conditions: Vec<String> = part.when.lines().iter().map(|line| escaped(line)).collect();
    let marked = if part.when == When::Always { "" } else { " data-cond" };
    let _ = write!(
        html,
        "<li data-action=\"{}\" data-archs=\"{}\"{marked}><span>{}</span><span>",
        escaped(&part.action.to_string()),
        archs.join(" "),
        chip(part.action)
    );
    match &part.when {
        When::Always => {}
        When::Otherwise => html.push_str("otherwise"),
        When::If(_) => {
            let codes: Vec<String> =
                conditions.iter().map(|line| format!("<code class=\"or\">{line}</code>")).collect();
            html.push_str(&codes.join("<span class=\"on\">or</span>"));
        }
    }
    if differ {
        let _ = write!(html, " <span class=\"on\">on {}</span>", list(&fate.archs));
    }
    html.push_str("</span><span class=\"place\">");
    for place in &part.places {
        let default = if place.default { ", the default" } else { "" };
        let _ = write!(html, "<span>{}{default}</span>", escaped(&place.to_string()));
    }
    html.push_str("</span></li>");
}

fn chip(action: Action) -> String {
    format!("<span class=\"chip {}\">{}</span>", kind(action), escaped(&action.to_string()))
}

/// The colour; the word says it too.
fn kind(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Log => "log",
        Action::Trace(_) | Action::Notify => "ask",
        Action::Errno(_) => "deny",
        Action::Trap(_) | Action::KillThread | Action::KillProcess => "kill",
    }
}

/// Text as HTML shows it, in an element or in a quoted attribute; hidden characters are shown by their number.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// In base64, as a content security policy has it; by coreutils, which every Linux has.
    fn sha256(text: &str) -> String {
        let mut child = Command::new("sh")
            .args(["-c", "sha256sum | cut -c1-64 | tr a-f A-F | basenc --base16 -d | base64"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn the_page_lets_its_own_style_and_script_in_and_no_other() {
        assert_eq!(STYLE_HASH, sha256(STYLE), "the style has changed: write its new hash");
        assert_eq!(SCRIPT_HASH, sha256(SCRIPT), "the script has changed: write its new hash");
    }

    #[test]
    fn nothing_that_a_policy_says_is_markup() {
        assert_eq!(
            escaped("</script><img src=x onerror='a\"&'>"),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a&quot;&amp;&#39;&gt;"
        );
        assert_eq!(escaped("a\u{202e}b\u{0}"), "a\\u{202e}b\\x00");
    }
}
