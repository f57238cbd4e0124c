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

/// Which letters a word has; some share a bit.
fn letters(word: &str) -> u64 {
    word.chars().fold(0, |letters, letter| letters | 1 << (u32::from(letter.to_ascii_lowercase()) & 63))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

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
