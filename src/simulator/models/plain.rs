//! What a deserialiser says of a value, in the words of whoever wrote it: no types of Rust.

use super::nearest::nearest;

/// Words for what was found, the longer before those that they begin with.
const FOUND: [(&str, &str); 8] = [
    ("string ", ""),
    ("integer ", ""),
    ("floating point ", ""),
    ("boolean ", ""),
    ("sequence", "a list"),
    ("map", "a table"),
    ("datetime", "a date"),
    ("unit value", "nothing"),
];

/// Words for what was expected.
const EXPECTED: [(&str, &str); 21] = [
    ("u8", "a whole number of 0 or more"),
    ("u16", "a whole number of 0 or more"),
    ("u32", "a whole number of 0 or more"),
    ("u64", "a whole number of 0 or more"),
    ("u128", "a whole number of 0 or more"),
    ("usize", "a whole number of 0 or more"),
    ("i8", "a whole number"),
    ("i16", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("i128", "a whole number"),
    ("isize", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("map", "a table"),
    ("a string", "text"),
    ("string or map", "a name or a table"),
    ("a boolean", "true or false"),
    ("bool", "true or false"),
];

/// The message of a deserialiser in plain words; what is plain already stays as it is, with the name that was meant
/// where a name is unknown.
pub(super) fn plain(message: &str) -> String {
    let of_value = ["invalid type: ", "invalid value: "];
    if let Some(rest) = of_value
        .iter()
        .find_map(|start| message.strip_prefix(start))
    {
        let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
        return match expected {
            "" => format!("found {}", what_was_found(found)),
            _ => format!(
                "found {}, expected {}",
                what_was_found(found),
                what_was_expected(expected)
            ),
        };
    }
    if let Some(rest) = message.strip_prefix("invalid length ") {
        let (n, expected) = rest.split_once(", expected ").unwrap_or((rest, ""));
        return format!(
            "found {n} elements, expected {}",
            what_was_expected(expected)
        );
    }
    let of_name = ["unknown field ", "unknown variant "];
    if let Some(start) = of_name.iter().find(|start| message.starts_with(*start)) {
        let names: Vec<&str> = message[start.len()..]
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        if let Some((written, known)) = names.split_first() {
            let hint = nearest(written, known.iter().copied());
            let after = start.len() + written.len() + 2;
            return format!("{}{hint}{}", &message[..after], &message[after..]);
        }
    }
    message.to_owned()
}

fn what_was_found(text: &str) -> String {
    let known = FOUND.iter().find(|(start, _)| text.starts_with(start));
    known.map_or_else(
        || text.replace('`', ""),
        |(start, words)| format!("{words}{}", text[start.len()..].replace('`', "")),
    )
}

fn what_was_expected(text: &str) -> String {
    if let Some((_, words)) = EXPECTED.iter().find(|(rust, _)| *rust == text) {
        return (*words).to_owned();
    }
    let of_rust = [
        "struct ",
        "internally tagged enum ",
        "adjacently tagged enum ",
    ];
    match of_rust.iter().any(|start| text.starts_with(start)) {
        true => "a table of settings".into(),
        false if text.starts_with("enum ") => "a name or a table of settings".into(),
        false if text.starts_with("tuple ") || text.starts_with("an array") => "a list".into(),
        false => text.replace('`', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_rust_is_named() {
        let said = [
            "invalid type: string \"abc\", expected u32",
            "invalid value: integer `-1`, expected u64",
            "invalid type: integer `3`, expected a sequence",
            "invalid type: sequence, expected struct Period",
            "invalid length 1, expected a sequence",
            "missing field `title`",
            "unknown field `request`, expected one of `requests`, `calls`",
            "unknown variant `zebra`, expected `a` or `b`",
        ];
        let expected = [
            "found \"abc\", expected a whole number of 0 or more",
            "found -1, expected a whole number of 0 or more",
            "found 3, expected a list",
            "found a list, expected a table of settings",
            "found 1 elements, expected a list",
            "missing field `title`",
            "unknown field `request` (did you mean \"requests\"?), expected one of `requests`, `calls`",
            "unknown variant `zebra`, expected `a` or `b`",
        ];
        assert_eq!(said.map(plain), expected);
    }
}
