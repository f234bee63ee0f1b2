//! Where in a text of TOML something stands, and what stands there.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error};

/// Line, from 1, of a byte offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// The line on which a field, or the nearest table around it, stands.
pub fn line_of_field(text: &str, field: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut offset = None;
    let mut table = Some(document.get_ref());
    for step in field.split('.') {
        let (name, index) = match step.strip_suffix(']').and_then(|s| s.split_once('[')) {
            Some((name, index)) => (name, index.parse::<usize>().ok()),
            None => (step, None),
        };
        let Some((key, found)) = table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == name))
        else {
            break;
        };
        offset = Some(key.span().start);
        let mut value = found.get_ref();
        if let (Some(i), DeValue::Array(items)) = (index, value)
            && let Some(item) = items.get(i)
        {
            offset = Some(item.span().start);
            value = item.get_ref();
        }
        table = value.as_table();
    }
    Some(line_at(text, offset?))
}

type Key<'i> = Spanned<DeString<'i>>;

/// A key, its value, and the keys that lead on from there.
type Led<'t, 'i> = (&'t Key<'i>, &'t Spanned<DeValue<'i>>, Option<&'t str>);

/// The message with which a text is refused, if it is.
pub(super) type Refusal<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The field that an error is about, such as `providers[1].share`; none if that is the whole document. The reader of
/// TOML tells the keys that led to it; an element of a list, and a key that should not be there, are found by where
/// they stand. Of some elements it tells only the list: then `refusal` says of which beginnings of it the same is said.
pub(super) fn field_of(text: &str, error: &Error, refusal: Refusal) -> Option<String> {
    let told = keys_of(error);
    let mut keys = told.as_deref();
    // What is missing in the whole document is nowhere.
    let at = error.span().filter(|at| !at.is_empty());
    let at = at.unwrap_or(usize::MAX..usize::MAX);
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut path = Vec::new();
    'path: loop {
        let led = table.iter().filter_map(|(key, value)| {
            let rest = keys?.strip_prefix(key.get_ref().as_ref())?;
            let rest = (!rest.is_empty()).then(|| rest.strip_prefix('.'));
            // All of the key, not only how it begins.
            (rest != Some(None)).then_some((key, value, rest.flatten()))
        });
        // A key may have full stops of its own.
        let led = led.max_by_key(|(_, value, _)| holds(value, &at));
        // The keys do not name variants.
        let Some((key, mut value, rest)) = led.or_else(|| within(table, &at)) else {
            break;
        };
        path.push(Step::Key(key.get_ref()));
        if key.span() == at {
            break;
        }
        keys = rest;
        while let DeValue::Array(items) = value.get_ref() {
            if value.span() == at {
                let said = error.message();
                path.extend(culprit(text, &path, items.len(), said, refusal).map(Step::Index));
                break 'path;
            }
            let Some(i) = items.iter().position(|item| holds(item, &at)) else {
                break 'path;
            };
            path.push(Step::Index(i));
            value = &items[i];
        }
        let DeValue::Table(inner) = value.get_ref() else {
            break;
        };
        table = inner;
    }
    (!path.is_empty()).then(|| written(&path))
}

/// A step on the way to a field.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Steps as they are written.
fn written(path: &[Step]) -> String {
    let mut all = String::new();
    for step in path {
        match step {
            Step::Key(key) if all.is_empty() => all.push_str(key),
            Step::Key(key) => all.extend([".", key]),
            Step::Index(i) => all.push_str(&format!("[{i}]")),
        }
    }
    all
}

/// The element by which a list of so many is refused: the last of the shortest beginning of which the same is said. None
/// if that is said of the list without elements, too.
fn culprit(text: &str, path: &[Step], n: usize, said: &str, refusal: Refusal) -> Option<usize> {
    let document: toml::Table = text.parse().ok()?;
    let is_wrong = |k: usize| {
        let mut document = toml::Value::Table(document.clone());
        let mut value = Some(&mut document);
        for step in path {
            value = value.and_then(|v| match step {
                Step::Key(key) => v.get_mut(*key),
                Step::Index(i) => v.get_mut(*i),
            });
        }
        if let Some(toml::Value::Array(items)) = value {
            items.truncate(k);
        }
        let text = document.as_table().map(toml::Table::to_string);
        text.and_then(|text| refusal(&text))
            .is_some_and(|other| other == said)
    };
    let (mut right, mut wrong) = (0, n);
    if is_wrong(right) || !is_wrong(wrong) {
        return None;
    }
    while wrong - right > 1 {
        let k = right + (wrong - right) / 2;
        if is_wrong(k) {
            wrong = k;
        } else {
            right = k;
        }
    }
    Some(wrong - 1)
}

/// The key of a table that something is, or in whose value it stands. A table of the same place is not in it: one
/// without a header of its own has that of the first in it.
fn within<'t, 'i>(table: &'t DeTable<'i>, at: &Range<usize>) -> Option<Led<'t, 'i>> {
    let inside = |(key, value): &(&Key, &Spanned<DeValue>)| {
        let itself = value.get_ref().is_table() && value.span() == *at;
        key.span() == *at || holds(value, at) && !itself
    };
    let (key, value) = table.iter().find(inside)?;
    Some((key, value, None))
}

/// Whether something stands in a value; the fields of a table may stand far from its header.
fn holds(value: &Spanned<DeValue>, at: &Range<usize>) -> bool {
    let own = value.span();
    own.start <= at.start && at.end <= own.end
        || match value.get_ref() {
            DeValue::Table(fields) => fields.iter().any(|(k, v)| k.span() == *at || holds(v, at)),
            DeValue::Array(items) => items.iter().any(|item| holds(item, at)),
            _ => false,
        }
}

/// The keys that led to what an error is about, joined by full stops: it shows them where it has no text to show.
fn keys_of(error: &Error) -> Option<String> {
    let mut error = error.clone();
    error.set_input(None);
    let shown = error.to_string();
    let (_, keys) = shown.trim_end().rsplit_once("\nin `")?;
    Some(keys.strip_suffix('`')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::quantity::Count;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        number: u8,
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        lists: Vec<Vec<u8>>,
        #[serde(default)]
        named: BTreeMap<String, Inner>,
        kind: Option<Kind>,
        #[serde(default)]
        checks: Vec<Check>,
        #[serde(default)]
        counts: Vec<Count>,
    }

    /// It is read as a whole before its fields are looked at.
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    enum Check {
        Sized { size: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        size: u8,
        deep: Option<Box<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only read")]
    enum Kind {
        Plain,
        Sized { size: u8 },
    }

    #[test]
    fn the_field_of_an_error_is_told_by_its_keys_and_its_place() {
        for (text, field) in [
            ("", None),
            ("[inner]\nsize = 1", None),
            ("other = 1\nnumber = 1", Some("other")),
            ("number = \"x\"", Some("number")),
            ("number = 300", Some("number")),
            // Missing in a table that has no header of its own, and in one that has.
            ("number = 1\n[inner.deep]\nsize = 1", Some("inner")),
            (
                "number = 1\n[inner]\nsize = 1\n[inner.deep]",
                Some("inner.deep"),
            ),
            ("number = 1\n[inner.deep]", Some("inner.deep")),
            (
                "number = 1\ninner = { size = 1, deep = { size = 1, extra = 2 } }",
                Some("inner.deep.extra"),
            ),
            ("number = 1\ninner.deep.size = 300", Some("inner.deep.size")),
            // In lists: of tables, of values, of lists.
            (
                "number = 1\n[[list]]\nsize = 1\n[[list]]\nsize = -1",
                Some("list[1].size"),
            ),
            (
                "number = 1\n[[list]]\nsize = 1\n[[list]]\n[list.deep]\nsize = 1",
                Some("list[1]"),
            ),
            (
                "number = 1\nlist = [{ size = 1 }, { size = 2 }, { sise = 3 }]",
                Some("list[2].sise"),
            ),
            (
                "number = 1\nlists = [[1], [2, 3, 400]]",
                Some("lists[1][2]"),
            ),
            ("number = 1\nlists = [[1], 2]", Some("lists[1]")),
            // Keys that begin alike, and one with a full stop.
            (
                "number = 1\nnamed.a.size = 1\nnamed.ab.size = 300",
                Some("named.ab.size"),
            ),
            (
                "number = 1\nnamed.\"a.b\".size = 300\nnamed.a.size = 1",
                Some("named.a.b.size"),
            ),
            ("number = 1\nkind = \"round\"", Some("kind")),
            (
                "number = 1\nkind = { sized = { size = 300 } }",
                Some("kind.sized.size"),
            ),
            // Elements of which only the list is told.
            (
                "number = 1\n[[checks]]\nkind = \"sized\"\nsize = 1\n[[checks]]\nkind = \"sized\"",
                Some("checks[1]"),
            ),
            (
                "number = 1\n[[checks]]\nkind = \"sized\"\nextra = 1\n[[checks]]\nkind = \"sized\"",
                Some("checks[0]"),
            ),
            (
                "number = 1\ncounts = [\"10k\", \"1M\", \"oops\", \"3\", \"oops\"]",
                Some("counts[2]"),
            ),
            ("[[number]]\n[[number]]", Some("number")),
            ("number = []", Some("number")),
        ] {
            let read = |text: &str| Outer::deserialize(toml::Deserializer::parse(text).unwrap());
            let refusal = |text: &str| Some(read(text).err()?.message().to_owned());
            let error = read(text).unwrap_err();
            let found = field_of(text, &error, &refusal);
            assert_eq!(found.as_deref(), field, "{text}\n{error}");
        }
    }

    #[test]
    fn the_line_of_a_field_is_that_of_its_key_or_of_what_is_around_it() {
        let text = "a = 1\n\n[b.c]\nd = 2\n[[e]]\nf = 3\n[[e]]\nf = 4";
        for (field, line) in [
            ("a", Some(1)),
            ("b.c.d", Some(4)),
            ("b.c.missing", Some(3)),
            ("e[1].f", Some(8)),
            ("missing", None),
        ] {
            assert_eq!(line_of_field(text, field), line, "{field}");
        }
    }
}
