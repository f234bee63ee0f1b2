//! Where labels stand so that none covers another, and what lines that belong together are called.

/// Moves labels apart: for places that are wanted, rising, gives those at least `apart` from each other that are the
/// nearest to them (least squares), within `low` to `high`. Where there is no room for all, they stand evenly.
pub(super) fn spread(wanted: &[f64], apart: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let gaps = wanted.len().saturating_sub(1) as f64;
    if gaps * apart > high - low {
        let apart = (high - low).max(0.0) / gaps;
        return (0..wanted.len()).map(|i| low + apart * i as f64).collect();
    }
    // Without the gaps the places must only not fall: pool what falls (isotonic regression).
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (i, place) in wanted.iter().enumerate() {
        let mut block = (place - apart * i as f64, 1);
        while let Some((mean, n)) = blocks.pop_if(|b| b.0 > block.0) {
            let all = n + block.1;
            block = (
                (mean * n as f64 + block.0 * block.1 as f64) / all as f64,
                all,
            );
        }
        blocks.push(block);
    }
    let means = blocks.iter().flat_map(|(mean, n)| vec![*mean; *n]);
    let most = high - gaps * apart;
    means
        .enumerate()
        .map(|(i, mean)| mean.clamp(low, most) + apart * i as f64)
        .collect()
}

/// A label beside an upright line: where across, and from where to where along it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Upright {
    pub(super) x: i32,
    pub(super) from: i32,
    pub(super) to: i32,
}

/// Where labels of these lengths stand beside their upright lines, each as high as those before, and what is `drawn`
/// there, leave it room; over that where there is no other place, and `None` where there is none until `bottom`.
pub(super) fn uprights(
    lines: &[(i32, i32)],
    drawn: &[Vec<(i32, i32)>],
    apart: i32,
    top: i32,
    bottom: i32,
) -> Vec<Option<Upright>> {
    let mut placed: Vec<Upright> = Vec::new();
    let mut places = Vec::with_capacity(lines.len());
    for ((x, length), drawn) in lines.iter().zip(drawn) {
        let near = || placed.iter().filter(|p| (p.x - x).abs() < apart);
        let starts = || near().map(|p| p.to + apart / 2).chain([top]);
        let is_inside = |from: &i32| from + length <= bottom;
        let free = |from: &i32| near().all(|p| from + length < p.from || p.to < *from);
        let clear = |from: &i32| drawn.iter().all(|d| from + length < d.0 || d.1 < *from);
        let below = drawn.iter().map(|d| d.1 + apart / 4);
        let best = starts()
            .chain(below)
            .filter(|f| free(f) && clear(f) && is_inside(f))
            .min();
        let from = best.or_else(|| starts().filter(|f| free(f) && is_inside(f)).min());
        let place = from.map(|from| Upright {
            x: *x,
            from,
            to: from + length,
        });
        placed.extend(place);
        places.push(place);
    }
    places
}

/// A text in lines of at most so many characters, broken between words; a word that is longer stands alone.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match all.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => all.push(word.to_owned()),
        }
    }
    all
}

/// What the names of lines that belong together begin with, and how each goes on (nothing where that is all of it):
/// `naive p50` and `naive p95` are `naive` with `p50` and `p95`, as `naive, p50` and `naive, p95` are.
pub(super) fn family<'a>(names: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    let Some(first) = names.first() else {
        return ("", Vec::new());
    };
    let ends_word = |end: usize| {
        names.iter().all(|n| {
            let rest = n.get(end..);
            rest.is_some_and(|r| r.is_empty() || r.starts_with([' ', ':']))
        })
    };
    let is_common = |end: &usize| {
        let start = first.get(..*end);
        start.is_some_and(|s| names.iter().all(|n| n.starts_with(s))) && ends_word(*end)
    };
    let end = (0..=first.len()).rev().find(is_common).unwrap_or(0);
    let rest = |n: &&'a str| n[end..].trim_start_matches([' ', ':']);
    let name = first[..end].trim_end_matches(',');
    (name, names.iter().map(rest).collect())
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_that_have_room_stay_and_others_part_about_their_middle() {
        assert_eq!(spread(&[10.0, 50.0], 20.0, (0.0, 100.0)), [10.0, 50.0]);
        assert_eq!(spread(&[50.0, 50.0], 20.0, (0.0, 100.0)), [40.0, 60.0]);
        assert_eq!(spread(&[0.0, 0.0], 20.0, (0.0, 100.0)), [0.0, 20.0]);
        assert_eq!(spread(&[99.0, 99.0], 20.0, (0.0, 100.0)), [80.0, 100.0]);
        assert_eq!(
            spread(&[1.0, 1.0, 1.0], 20.0, (0.0, 10.0)),
            [0.0, 5.0, 10.0]
        );
        assert_eq!(spread(&[], 20.0, (0.0, 10.0)), [0.0; 0]);
    }

    #[test]
    fn labels_of_near_lines_follow_each_other_down() {
        let at = |x, from, to| Some(Upright { x, from, to });
        let lines = [(10, 50), (12, 50), (100, 50), (11, 500)];
        let places = uprights(&lines, &vec![Vec::new(); 4], 16, 8, 300);
        assert_eq!(
            places,
            [at(10, 8, 58), at(12, 66, 116), at(100, 8, 58), None]
        );
    }

    #[test]
    fn a_label_goes_beneath_what_is_drawn_unless_there_is_no_room() {
        let of = |drawn: (i32, i32)| {
            uprights(&[(10, 50)], &[vec![drawn]], 16, 8, 150)[0].map(|u| u.from)
        };
        assert_eq!(of((60, 70)), Some(8));
        assert_eq!(of((20, 70)), Some(74));
        assert_eq!(of((20, 140)), Some(8));
    }

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("overlong it", 4), ["overlong", "it"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn lines_of_a_family_are_called_by_what_tells_them_apart() {
        assert_eq!(family(&["a b p50", "a b p95"]), ("a b", vec!["p50", "p95"]));
        assert_eq!(
            family(&["eager", "eager: loses"]),
            ("eager", vec!["", "loses"])
        );
        assert_eq!(family(&["lazy"]), ("lazy", vec![""]));
        assert_eq!(family(&["a, b", "a, c"]), ("a", vec!["b", "c"]));
        assert_eq!(family(&["reads", "rest"]), ("", vec!["reads", "rest"]));
        assert_eq!(
            family(&["tiered", "tiered-fresh"]),
            ("", vec!["tiered", "tiered-fresh"])
        );
        assert_eq!(family(&["é 1", "é 2"]), ("é", vec!["1", "2"]));
        assert_eq!(shortened("naive-fleet", 11), "naive-fleet");
        assert_eq!(shortened("naive fleet", 9), "naive...");
    }

    proptest! {
        #[test]
        fn labels_never_cover_each_other(
            mut wanted in prop::collection::vec(-50.0_f64..650.0, 1..25),
        ) {
            wanted.sort_by(f64::total_cmp);
            let places = spread(&wanted, 20.0, (0.0, 600.0));
            prop_assert_eq!(places.len(), wanted.len());
            prop_assert!(places.iter().all(|p| (-1e-9..=600.0 + 1e-9).contains(p)));
            prop_assert!(places.windows(2).all(|p| p[1] - p[0] >= 20.0 - 1e-9));
        }
    }
}
