//! Text that was read in another encoding than it was written in.

/// What the bytes 80 to 9F are in Windows-1252; those that are nothing there, as themselves.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The first line that is UTF-8 read as Windows-1252, as it was meant: `cafÃ©` is `café`.
pub fn misread(text: &str) -> Option<String> {
    let byte = |c: char| match HIGH.iter().position(|h| *h == c) {
        Some(i) => Some(0x80 + i as u8),
        None => u8::try_from(u32::from(c)).ok(),
    };
    let lines = text.lines().filter(|line| !line.is_ascii());
    let meant = |line: &str| String::from_utf8(line.chars().map(byte).collect::<Option<_>>()?).ok();
    lines.into_iter().find_map(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_good_text_is_left_alone() {
        assert_eq!(misread("a\ncafÃ©"), Some("café".into()));
        assert_eq!(misread("it â€” is"), Some("it — is".into()));
        for good in ["", "plain", "café", "größer — ≥ 5 µs", "漢字"] {
            assert_eq!(misread(good), None, "{good}");
        }
    }
}
