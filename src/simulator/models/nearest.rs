//! The name that was meant: of those there are, the one that is written nearly the same.

/// Least likeness of a name that is worth a question.
const ALIKE: f64 = 0.75;

/// No name is so long, and what is longer is like none.
const MOST_CHARACTERS: usize = 100;

/// The name that is most like what was written, if any is like it.
pub fn nearest_name<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if written.chars().count() > MOST_CHARACTERS {
        return None;
    }
    let lower = written.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let swapped = strsim::normalized_damerau_levenshtein(&lower, &name);
        strsim::jaro_winkler(&lower, &name).min(swapped + 0.25)
    };
    let alike = names.into_iter().map(|name| (likeness(name), name));
    let best = alike
        .filter(|(likeness, name)| *likeness >= ALIKE && *name != written)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

/// ` (did you mean "optimised"?)`
pub fn question(name: &str) -> String {
    format!(" (did you mean \"{name}\"?)")
}

/// The [`question`] after what was written, or nothing if no name is like it.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest_name(written, names).map_or_else(String::new, question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_alike_is_asked_for() {
        let names = ["naive", "optimised", "optimised-fleet", "tiered"];
        assert_eq!(
            nearest("optimized", names),
            " (did you mean \"optimised\"?)"
        );
        assert_eq!(nearest("TIERD", names), " (did you mean \"tiered\"?)");
        assert_eq!(nearest("Naive", names), " (did you mean \"naive\"?)");
        assert_eq!(nearest("zebra", names), "");
        assert_eq!(nearest("", names), "");
        assert_eq!(nearest(&"naive".repeat(1_000_000), names), "");
    }
}
