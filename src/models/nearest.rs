//! The name that was probably meant, where an unknown one was written.

/// The name that takes the fewest changes to reach from `text`, unless that is most of the name.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No name is so long, and what is longer is near none.
    if text.chars().count() > MOST_CHARACTERS {
        return None;
    }
    let text = text.to_lowercase();
    let distances = names.into_iter().map(|name| (edits(&text, name), name));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (2 * distance <= near.len()).then_some(near)
}

/// Most characters of a text for which a name is looked for.
const MOST_CHARACTERS: usize = 100;

/// Levenshtein distance: insertions, deletions and replacements of characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!([edits("kitten", "sitting"), edits("", "abc")], [3, 3]);
        // One character too many, at the end, before it, in the middle.
        assert_eq!(
            [edits("ba", "b"), edits("ab", "b"), edits("abc", "ac")],
            [1, 1, 1]
        );
    }

    #[test]
    fn a_name_is_near_if_most_of_it_is_there() {
        let names = ["cost", "hit_ratio"];
        assert_eq!(nearest("Cots", names), Some("cost"));
        assert_eq!(nearest("hitratio", names), Some("hit_ratio"));
        assert_eq!(nearest("latency", names), None);
        assert_eq!(nearest(&"cost".repeat(1_000_000), names), None);
        assert_eq!(nearest("cost", []), None);
    }
}
