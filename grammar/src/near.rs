//! Near names: what a person meant who wrote `opnat`.
//!
//! ```text
//! did_you_mean("opnat", ["open", "openat", "mount"]) == Some("openat")
//! ```

/// The candidate that `word` most likely was meant to be, if any is near enough.
///
/// Swapped letters count as one mistake, a shared beginning weighs in, and a word may be wrong in about a
/// third of its letters. Among equals the first candidate wins.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, candidates).into_iter().next()
}

/// All candidates that are near enough, the most likely first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // Comparing is quadratic in the length; no name of a table is longer than this.
    const LONGEST: usize = 64;
    let length = word.chars().count();
    if length < 2 || word.len() > LONGEST {
        return Vec::new();
    }
    let lower = word.to_ascii_lowercase();
    let allowed = (length / 3).clamp(1, 4);
    let own_letters = letters(word);
    let mut near: Vec<(f64, &str)> = Vec::new();
    for candidate in candidates {
        if candidate == word || candidate.len() > LONGEST {
            continue;
        }
        // `clone_thr` for `clone_thread`: an abbreviation is meant, however many letters are missing.
        let begins = candidate.as_bytes().get(..lower.len());
        let abbreviated = length >= 4 && begins.is_some_and(|begin| begin.eq_ignore_ascii_case(lower.as_bytes()));
        // Each letter that one has more is a mistake: most candidates are out by their length.
        if !abbreviated && candidate.chars().count().abs_diff(length) > allowed {
            continue;
        }
        // So is each letter that only one of them has.
        let other_letters = letters(candidate);
        let alone = (own_letters & !other_letters).count_ones().max((other_letters & !own_letters).count_ones());
        if !abbreviated && alone as usize > allowed {
            continue;
        }
        let other = candidate.to_ascii_lowercase();
        let distance = strsim::damerau_levenshtein(&lower, &other);
        if distance > allowed && !abbreviated {
            continue;
        }
        let cost = if distance > allowed { allowed as f64 } else { distance as f64 };
        near.push((cost - strsim::jaro_winkler(&lower, &other), candidate));
    }
    near.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// What to offer to somebody who wrote a name that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The likeliest names, never none.
    pub names: Vec<String>,
    /// Whether it was a slip of the keys, and of no other name: one letter too many, too few, another, or two swapped.
    pub slip: bool,
}

impl Offer {
    /// So many names that are equally near are shown.
    const SHOWN: usize = 3;

    /// What is near to `word`: all names that one slip of the keys leads to, else the one that is likeliest.
    pub fn of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        let near = nearest(word, candidates);
        let slips: Vec<&str> = near
            .iter()
            .copied()
            .filter(|name| strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase()) <= 1)
            .take(Self::SHOWN)
            .collect();
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Some(match slips[..] {
            [] => Self { names: own(&near[..near.len().min(1)]), slip: false },
            _ => Self { slip: slips.len() == 1, names: own(&slips) },
        })
        .filter(|offer| !offer.names.is_empty())
    }
}

/// Which letters a word has; some share a bit.
fn letters(word: &str) -> u64 {
    word.chars().fold(0, |letters, letter| letters | 1 << (u32::from(letter.to_ascii_lowercase()) & 63))
}

#[cfg(test)]
mod tests {
    use super::{Offer, did_you_mean};

    #[test]
    fn one_slip_of_the_keys_has_one_meaning_or_none() {
        let names = ["TCGETA", "TCGETS", "openat", "openat2", "read"];
        let offer = |word| Offer::of(word, names);
        let made =
            |names: &[&str], slip| Some(Offer { names: names.iter().map(|name| (*name).to_owned()).collect(), slip });
        assert_eq!(offer("TCGET"), made(&["TCGETA", "TCGETS"], false));
        assert_eq!(offer("raed"), made(&["read"], true));
        assert_eq!(offer("Read"), made(&["read"], true));
        assert_eq!(offer("opnnnat"), made(&["openat"], false));
        assert_eq!(offer("completely_else"), None);
    }

    #[test]
    fn finds_what_was_meant() {
        let names = ["open", "openat", "openat2", "mount", "read", "readv", "clone", "clone3", "epoll_wait"];
        for (word, meant) in [
            ("opnat", Some("openat")),
            ("raed", Some("read")),
            ("Read", Some("read")),
            ("epoll", Some("epoll_wait")),
            ("epol_wiat", Some("epoll_wait")),
            ("mnt", None),
            ("x", None),
            ("", None),
            ("completely_else", None),
        ] {
            assert_eq!(did_you_mean(word, names), meant, "{word}");
        }
    }

    #[test]
    fn does_not_offer_the_word_itself() {
        assert_eq!(did_you_mean("read", ["read"]), None);
    }
}
