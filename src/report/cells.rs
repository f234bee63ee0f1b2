//! CSV files, fit for spreadsheets: no cell of text is taken for a formula.

use std::borrow::Cow;

/// What spreadsheets take for the beginning of a formula, spaces before it or not.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell as it is written: what looks like a formula and is no number gets an apostrophe before it, which
/// spreadsheets take for the sign of text
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
pub fn cell(text: &str) -> Cow<'_, str> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let is_formula = text.trim_start_matches(' ').starts_with(FORMULA);
    match is_formula && number.parse::<f64>().is_err() {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// A CSV file of a header and rows.
pub(in crate::report) fn csv_bytes(
    header: Vec<String>,
    mut rows: impl Iterator<Item = Vec<String>>,
) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| {
        let cells = row.iter().map(|text| cell(text).into_owned());
        writer.write_record(cells).is_ok()
    };
    let wrote = write(&header) && rows.all(|row| write(&row));
    assert!(wrote, "every row has the columns of the header");
    writer
        .into_inner()
        .expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_numbers_are_numbers() {
        for formula in [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            " =1",
            "-",
            "--x",
        ] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        for plain in [
            "", "-1", "+1", "-1.5e-9", "-5%", "naive", "a=b", "1-2", "'x",
        ] {
            assert_eq!(cell(plain), plain);
        }
        let rows = [vec!["=1".to_owned(), "-1".to_owned()]];
        let bytes = csv_bytes(vec!["@a".into(), "b".into()], rows.into_iter());
        assert_eq!(String::from_utf8(bytes).unwrap(), "'@a,b\n'=1,-1\n");
    }
}
