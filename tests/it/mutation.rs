//! Inputs in which something is changed, and which keep their structure: what a person or a program might write.

use kvplan::sim::random::{StreamRng, Streams};
use rand::RngExt;
use serde_json::{Value, json};

/// The random numbers of a case.
pub(crate) fn random(what: &str, case: u64) -> StreamRng {
    Streams::new(case, 0).stream(what)
}

/// One of several.
pub(crate) fn one_of<'a, T: ?Sized>(rng: &mut StreamRng, all: &[&'a T]) -> &'a T {
    all[rng.random_range(0..all.len())]
}

/// Texts that mean something somewhere.
pub(crate) const TEXTS: [&str; 44] = [
    "",
    " ",
    "x",
    "-",
    "0",
    "-1",
    "1e308",
    "-1e-320",
    "NaN",
    "inf",
    "0 s",
    "1 ns",
    "100000 d",
    "-5 min",
    "1 min",
    "0%",
    "100%",
    "101%",
    "1e-300%",
    "1B/ns",
    "0/s",
    "1000/s",
    "9999999999999B",
    "18446744073709551615",
    "2 GiB",
    "0 B",
    "$0",
    "$999999999999.999999999999",
    "2026-02-30",
    "9999-12-31",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@x",
    "a/b",
    "../up",
    "/dev/null",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}x",
    "<script>alert(1)</script>",
    "\"'`",
    "url(http://example.com/x)",
    "naive",
    "kv.reads",
];

/// Numbers at whose side something else begins.
fn number(rng: &mut StreamRng) -> Value {
    match rng.random_range(0..16) {
        0 => json!(0),
        1 => json!(-1),
        2 => json!(1),
        3 => json!(u32::MAX),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(-1e308),
        8 => json!(5e-324),
        9 => json!(0.5),
        10 => json!(1e21),
        11 => json!(2_147_483_648_u64),
        12 => json!(-0.0),
        13 => json!(rng.random_range(0..1_000)),
        14 => json!(rng.random_range(0.0..1.0)),
        _ => json!(1_u64 << rng.random_range(0..64)),
    }
}

/// A value for the place of another.
fn value(rng: &mut StreamRng) -> Value {
    match rng.random_range(0..8) {
        0..=2 => number(rng),
        3..=5 => json!(one_of(rng, &TEXTS)),
        6 => json!(rng.random_bool(0.5)),
        _ => match rng.random_range(0..4) {
            0 => json!([]),
            1 => json!({}),
            2 => json!("y".repeat(20_000)),
            _ => Value::Null,
        },
    }
}

/// Where all values of a tree are, as JSON pointers.
fn places(tree: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match tree {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{i}"), all);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{name}"), all);
            }
        }
        _ => {}
    }
}

/// Changes one to three values: mostly to one of the same kind.
pub(crate) fn mutate(tree: &mut Value, rng: &mut StreamRng) {
    for _ in 0..rng.random_range(1..=3) {
        let mut all = Vec::new();
        places(tree, "", &mut all);
        let at = &all[rng.random_range(0..all.len())];
        let Some(found) = tree.pointer_mut(at) else {
            continue;
        };
        let other_kind = rng.random_bool(0.1);
        match found {
            _ if other_kind => *found = value(rng),
            Value::Number(n) => {
                let factor = one_of(rng, &[&-1.0, &0.5, &2.0, &10.0, &1e3, &1e6, &1e-6]);
                let scaled = n.as_f64().map(|x| x * factor);
                *found = match (rng.random_bool(0.5), n.as_u64(), scaled) {
                    (true, Some(_), Some(x)) if x >= 0.0 => json!(x as u64),
                    (true, None, Some(x)) => json!(x),
                    _ => number(rng),
                };
            }
            Value::String(_) => *found = json!(one_of(rng, &TEXTS)),
            Value::Bool(b) => *b = !*b,
            Value::Array(items) if !items.is_empty() => match rng.random_range(0..4) {
                0 => items.clear(),
                1 => items.reverse(),
                2 => items.truncate(items.len() / 2),
                _ => items.push(items[0].clone()),
            },
            Value::Object(fields) if !fields.is_empty() => {
                let name = fields.keys().nth(rng.random_range(0..fields.len()));
                let name = name.cloned().unwrap_or_default();
                match rng.random_bool(0.5) {
                    true => _ = fields.remove(&name),
                    false => _ = fields.insert(name, value(rng)),
                }
            }
            _ => *found = value(rng),
        }
    }
}
