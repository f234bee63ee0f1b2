//! The stored form of totals: text, written and read in one pass.
//!
//! ```text
//! value    = "C" provider*
//! provider = length name count errors tokens sum least first blocks block{blocks}
//! block    = width (width letters){16}
//! ```
//!
//! Letters are the 64 of base64url. A number is digits of 5 bits, the lowest first, each a letter whose sixth bit says that
//! more follow. `sum` is the eleven letters of an `f64`'s bits, 6 in each; `first`, which may be negative, has its sign
//! in the lowest bit. A name is its UTF-8, after its length in bytes. The counters of a sketch stand in blocks of
//! sixteen bins, all of one width, so that most are read and written without a decision: none for a block without a
//! value, one letter where no bin holds more than 63, two up to 4,095.
//!
//! Text, as reads of many keys at once answer with text only and destroy all else
//! (<https://developers.cloudflare.com/kv/api/read-key-value-pairs/>): to read a hundred keys one by one is a hundred operations
//! of the invocation's thousand, six at a time, where one operation reads them all.
//!
//! Whatever comes from a store is untrusted: what does not add up is [`Corrupt`], and no value makes more bins than
//! a latency can fall into. The forms of earlier editions are read as well, see `old`.

mod encode;
mod found;
mod kept;
mod old;

use super::sketch::KEYS;
use super::totals::{Corrupt, Read};
pub(super) use encode::encode;
use found::Found;
pub(super) use kept::Kept;

/// What a stored value begins with; another form would begin with another letter.
const FORM: u8 = b'C';

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The number of each letter; `NONE` for what is none.
const NUMBERS: [u8; 256] = {
    let mut numbers = [NONE; 256];
    let mut i = 0;
    while i < 64 {
        numbers[LETTERS[i] as usize] = i as u8;
        i += 1;
    }
    numbers
};

const NONE: u8 = u8::MAX;

/// Of the six bits of a letter the one that says that more follow.
const MORE: u8 = 32;

/// Letters of the bits of an `f64`, and of the widest bin.
const WIDEST: usize = 11;

/// Letters of a bin at most, of which no sum of a block's bins overflows.
const WIDEST_SUMMED: usize = 9;

/// Bins of a block.
const BLOCK: usize = 16;

/// Room for the bins of a value that is read; the same may serve for many, one after the other.
#[derive(Debug, Default)]
pub(super) struct Room(Vec<u64>);

/// Reads a stored value: gives `take` each provider's name and totals, or none of them if it cannot be read.
///
/// # Errors
/// If it is of no form that was ever written, or damaged.
pub(super) fn read(
    value: &[u8],
    room: &mut Room,
    mut take: impl FnMut(&str, Read),
) -> Result<(), Corrupt> {
    if let Some((&FORM, text)) = value.split_first()
        && let Some(providers) = providers(text, &mut room.0)
    {
        for (name, found) in providers {
            take(name, found.read(&room.0));
        }
        return Ok(());
    }
    // The first form of all had no letter, and may begin with any.
    for (name, totals) in old::read(value).ok_or(Corrupt)? {
        take(&name, totals.read());
    }
    Ok(())
}

/// What is found of each provider; the bins of all are put into `bins`.
fn providers<'a>(text: &'a [u8], bins: &mut Vec<u64>) -> Option<Vec<(&'a str, Found)>> {
    let mut text = Text(text);
    let mut providers = Vec::with_capacity(4);
    bins.clear();
    while !text.0.is_empty() {
        providers.push(text.provider(bins)?);
    }
    Some(providers)
}

/// What is left to read.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn letter(&mut self) -> Option<u8> {
        let (&letter, rest) = self.0.split_first()?;
        self.0 = rest;
        let number = NUMBERS[usize::from(letter)];
        (number != NONE).then_some(number)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut number, mut bits) = (0_u64, 0);
        loop {
            let letter = self.letter()?;
            let digit = u64::from(letter % MORE);
            // No digit beyond the 64th bit.
            if bits >= u64::BITS || (digit << bits) >> bits != digit {
                return None;
            }
            number |= digit << bits;
            if letter < MORE {
                return Some(number);
            }
            bits += 5;
        }
    }

    /// Reads the bins of a block, and gives their sum.
    fn block(&mut self, bins: &mut [u64; BLOCK]) -> Option<u64> {
        let width = usize::from(self.letter()?);
        let letters = self.take(width * BLOCK)?;
        // Of what is no letter the two highest bits are set, which is looked at once for all. Loops over arrays, as
        // their iterators are not made into straight code.
        let mut all = 0;
        let mut number = |letter: u8| {
            let number = NUMBERS[usize::from(letter)];
            all |= number;
            u64::from(number)
        };
        match width {
            0 => {}
            1 => {
                let letters: &[u8; BLOCK] = letters.try_into().ok()?;
                for i in 0..BLOCK {
                    bins[i] = number(letters[i]);
                }
            }
            2 => {
                let pairs: &[[u8; 2]; BLOCK] = letters.as_chunks().0.try_into().ok()?;
                for i in 0..BLOCK {
                    let [low, high] = pairs[i];
                    bins[i] = number(low) | number(high) << 6;
                }
            }
            3..=WIDEST => {
                for (bin, letters) in bins.iter_mut().zip(letters.chunks_exact(width)) {
                    // Bits beyond the 64th, which nobody writes, are lost.
                    *bin = letters
                        .iter()
                        .rev()
                        .fold(0, |n, letter| n << 6 | number(*letter));
                }
            }
            _ => return None,
        }
        let sum = match width {
            // Sixteen of so few bits.
            0..=WIDEST_SUMMED => bins.iter().sum(),
            _ => bins.iter().fold(0_u64, |sum, n| sum.saturating_add(*n)),
        };
        (all < 64).then_some(sum)
    }

    fn provider(&mut self, bins: &mut Vec<u64>) -> Option<(&'a str, Found)> {
        let length = usize::try_from(self.number()?).ok()?;
        let name = str::from_utf8(self.take(length)?).ok()?;
        let (count, errors, tokens) = (self.number()?, self.number()?, self.number()?);
        let latency_sum_ms = self.float()?;
        let least = self.number()?;
        let start = bins.len();
        let (first, counted) = self.bins(bins)?;
        let found = Found {
            count,
            errors,
            tokens,
            latency_sum_ms,
            least,
            first,
            bins: start..bins.len(),
        };
        (least.saturating_add(counted) == count && errors <= count).then_some((name, found))
    }

    fn float(&mut self) -> Option<f64> {
        let mut bits = 0;
        for i in 0..WIDEST {
            bits |= u64::from(self.letter()?) << (6 * i);
        }
        Some(f64::from_bits(bits))
    }

    /// Appends the bins of a sketch; gives the number of the first, 0 if there is none, and the sum of all.
    fn bins(&mut self, bins: &mut Vec<u64>) -> Option<(i32, u64)> {
        let first = self.number()?;
        let first = i32::try_from((first >> 1) as i64 ^ -((first & 1) as i64)).ok()?;
        let blocks = usize::try_from(self.number()?).ok()?;
        if blocks == 0 {
            return Some((0, 0));
        }
        let room = KEYS
            .contains(&first)
            .then(|| (KEYS.end() - first) as usize + 1)?;
        if blocks > room.div_ceil(BLOCK) {
            return None;
        }
        let mut sum = 0_u64;
        for _ in 0..blocks {
            let mut block = [0; BLOCK];
            sum = sum.saturating_add(self.block(&mut block)?);
            bins.extend_from_slice(&block);
        }
        Some((first, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::encode::{Numbers, write_block};
    use super::*;
    use crate::aggregate::{Aggregate, ProviderNames};
    use crate::metrics::Metrics;
    use crate::record::{ProviderId, Record};
    use crate::units::Timestamp;
    use std::time::Duration;

    fn names() -> ProviderNames {
        let mut names = ProviderNames::default();
        names.intern("openai");
        names.intern("gemini");
        names
    }

    /// A thousand records of two providers, as those of the stored examples.
    fn thousand() -> Aggregate {
        let mut a = Aggregate::default();
        for i in 0..1_000_u64 {
            a.add(&Record {
                at: Timestamp::EPOCH,
                provider: ProviderId((i % 2) as u16),
                latency: Duration::from_micros(i * i * i / 10),
                success: i % 7 != 0,
                tokens: i as u32,
            });
        }
        a
    }

    /// Whatever is recorded, the value is text that JSON and JavaScript keep as it is, and says the same to whoever
    /// reads it.
    #[test]
    fn values_are_text_that_is_read_as_it_was_written() {
        let a = thousand();
        let value = a.encode(&names());
        assert!(value.iter().all(|b| b.is_ascii_graphic()));
        assert!(value.len() < include_str!("value_b.txt").len());
        let read = Aggregate::decode(&value, &mut names()).unwrap();
        assert_eq!(read.encode(&names()), value);
        let figures = |a: Aggregate| Metrics::known(a, &names(), Timestamp::EPOCH).clone();
        assert_eq!(*figures(read), *figures(a));
        let nothing = Aggregate::default().encode(&names());
        assert_eq!(
            Aggregate::decode(&nothing, &mut names()).unwrap().count(),
            0
        );
    }

    /// `value_b.txt` is what the edition before wrote of the same thousand records; the first edition wrote
    /// what that is the base64 of.
    #[test]
    fn values_of_earlier_editions_are_read() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD_NO_PAD;
        let text = include_str!("value_b.txt").trim_end();
        let binary = STANDARD_NO_PAD.decode(&text[1..]).unwrap();
        let now = thousand().encode(&names());
        for form in [text.as_bytes(), &binary] {
            let read = Aggregate::decode(form, &mut names()).unwrap();
            assert_eq!(read.encode(&names()), now);
            for cut in [0, 1, form.len() / 2, form.len() - 1] {
                let cut = Aggregate::decode(&form[..cut], &mut names());
                assert_eq!(cut.err(), Some(Corrupt));
            }
        }
    }

    #[test]
    fn a_damaged_value_is_refused() {
        let damaged = |value: &[u8]| {
            let mut total = Aggregate::default();
            let refused = total.add_stored(value, &mut names()) == Err(Corrupt);
            refused && total.count() == 0
        };
        let value = thousand().encode(&names());
        // Where the first provider ends a value may, and before it, but nowhere else.
        let whole = |cut: usize| Aggregate::decode(&value[..cut], &mut names()).map(|a| a.count());
        let ends: Vec<usize> = (0..=value.len())
            .filter(|cut| whole(*cut).is_ok())
            .collect();
        assert_eq!(ends.len(), 3, "{ends:?}");
        assert_eq!((ends[0], ends[2]), (1, value.len()));
        assert_eq!(whole(ends[1]), Ok(500));
        // Behind the name every letter counts: none is what it is not, and counts add up.
        for at in 8..ends[1] {
            let mut other = value[..ends[1]].to_vec();
            other[at] = b' ';
            assert!(damaged(&other), "{at}");
        }
        let mut one_more = value.clone();
        *one_more.last_mut().unwrap() += 1;
        assert!(damaged(&one_more));
        // More failures than requests: one "B" for the count of failures beside none for the requests.
        let (none, failed) = (
            b"CBxAAAAAAAAAAAAAAAAA".to_vec(),
            b"CBxABAAAAAAAAAAAAAAA".to_vec(),
        );
        assert!(!damaged(&none) && damaged(&failed));
        // Bins where none can be, and as many as there are numbers.
        let of = |first: u64, blocks: u64, bins: &[u64]| {
            let mut out = b"CBx".to_vec();
            for n in [bins.iter().sum(), 0, 0] {
                write(&mut out, n);
            }
            out.extend([b'A'; WIDEST]);
            for n in [0, first, blocks] {
                write(&mut out, n);
            }
            let mut block = [0; BLOCK];
            block[..bins.len()].copy_from_slice(bins);
            write_block(&mut out, &block);
            out
        };
        assert!(!damaged(&of(20, 1, &[3, 4])));
        assert!(!damaged(&of(2 * 1_600, 1, &[3])));
        assert!(!damaged(&of(20, 1, &[u64::MAX])));
        assert!(damaged(&of(20, 2, &[3, 4])));
        assert!(damaged(&of(20, 1_u64 << 40, &[3, 4])));
        assert!(damaged(&of(20, u64::from(u32::MAX), &[3, 4])));
        assert!(
            damaged(&of(2 * 1_601, 1, &[3])),
            "beyond the longest latency"
        );
        assert!(damaged(&of(2 * 400 + 1, 1, &[3])), "below the least");
        assert!(damaged(&of(u64::MAX, 1, &[3])));
    }

    fn write(out: &mut Vec<u8>, n: u64) {
        let mut letters = Numbers::default();
        letters.number(n);
        out.extend_from_slice(letters.written());
    }

    /// Blocks of all widths.
    #[test]
    fn blocks_are_read_as_they_are_written() {
        for bit in 0..64 {
            for bins in [
                [1_u64 << bit; BLOCK],
                std::array::from_fn(|i| (u64::MAX >> bit) / (i as u64 + 1)),
            ] {
                let mut out = Vec::new();
                write_block(&mut out, &bins);
                let (mut text, mut read) = (Text(&out), [0; BLOCK]);
                let sum = bins.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
                assert_eq!(text.block(&mut read), Some(sum), "{bit}");
                assert_eq!(read, bins);
                assert!(text.0.is_empty());
            }
        }
        let mut out = Vec::new();
        write_block(&mut out, &[0; BLOCK]);
        assert_eq!(out, b"A");
        for wrong in [&b"M"[..], b"Babc", b"Baaaaaaaaaaaaaaa ", b"B"] {
            assert_eq!(Text(wrong).block(&mut [0; BLOCK]), None);
        }
        let too_wide = [&b"M"[..], &[b'a'; 12 * BLOCK]].concat();
        assert_eq!(Text(&too_wide).block(&mut [0; BLOCK]), None);
    }

    /// Numbers of all lengths, and one of more bits than there are.
    #[test]
    fn numbers_are_read_as_they_are_written() {
        for n in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
            let mut out = Vec::new();
            write(&mut out, n);
            let mut text = Text(&out);
            assert_eq!(text.number(), Some(n));
            assert!(text.0.is_empty());
        }
        let mut out = Vec::new();
        write(&mut out, u64::MAX);
        assert_eq!(out.len(), 13);
        out[12] = b'Q';
        assert_eq!(Text(&out).number(), None, "a 65th bit");
        assert_eq!(
            Text(b"__").number(),
            None,
            "an end where more was to follow"
        );
    }
}
