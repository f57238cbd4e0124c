//! The filter that another compiler makes of a profile.
//!
//! ```text
//! rivals seacomb < profile.json > filter.bpf     for x86_64; status 3 and a reason where it cannot say the profile
//! ```

mod profile;
mod seacomb;
mod seccompiler;

use std::io::{Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(rival) = std::env::args().nth(1) else {
        eprintln!("usage: rivals seacomb|seccompiler < profile.json > filter.bpf");
        return ExitCode::from(2);
    };
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        eprintln!("cannot read the profile: {error}");
        return ExitCode::from(2);
    }
    let made = profile::read(&text).and_then(|profile| match rival.as_str() {
        "seacomb" => seacomb::filter(&profile),
        "seccompiler" => seccompiler::filter(&profile),
        _ => Err(format!("no rival is called `{rival}`")),
    });
    match made {
        Ok(bytes) => match std::io::stdout().write_all(&bytes) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Err(why) => {
            eprintln!("{rival} cannot say it: {why}");
            ExitCode::from(3)
        }
    }
}

/// `struct sock_filter`, little endian.
fn bytes(code: u16, jt: u8, jf: u8, k: u32) -> [u8; 8] {
    let ([code_low, code_high], [a, b, c, d]) = (code.to_le_bytes(), k.to_le_bytes());
    [code_low, code_high, jt, jf, a, b, c, d]
}
