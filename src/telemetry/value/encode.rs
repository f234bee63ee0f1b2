//! Writing: a total's text, letter by letter.

use super::{BLOCK, FORM, LETTERS, MORE, WIDEST};
use crate::totals::Totals;

/// The value to store; providers are named, so that any reader can number them its own way.
pub(in super::super) fn encode<'a>(
    providers: impl Iterator<Item = (&'a str, &'a Totals)>,
) -> Vec<u8> {
    let mut out = begin(None);
    for (name, totals) in providers {
        let run = totals.latency.trimmed();
        out.reserve(name.len() + 64 + 2 * run.bins.len());
        write_head(&mut out, name, totals, run.first, blocks(run.bins).len());
        for block in blocks(run.bins) {
            write_block(&mut out, &block);
        }
    }
    out
}

/// The beginning of a text, with room for so many letters, or for a thousand if nothing is known: who stores it keeps the
/// room with it.
pub(super) fn begin(letters: Option<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(letters.unwrap_or(1_024));
    out.push(FORM);
    out
}

/// Writes all of a provider but its blocks.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    name: &str,
    totals: &Totals,
    first: i32,
    blocks: usize,
) {
    let mut length = Numbers::default();
    length.number(name.len() as u64);
    out.extend_from_slice(length.written());
    out.extend_from_slice(name.as_bytes());
    let mut numbers = Numbers::default();
    for n in [totals.count, totals.errors, totals.tokens] {
        numbers.number(n);
    }
    numbers.float(totals.latency_sum_ms);
    let first = i64::from(first);
    for n in [
        totals.latency.least,
        ((first << 1) ^ (first >> 63)) as u64,
        blocks as u64,
    ] {
        numbers.number(n);
    }
    out.extend_from_slice(numbers.written());
}

/// Letters of a number of 64 bits at most.
const LONGEST: usize = 13;

/// Numbers as they are written, before they are appended to a text all at once: as many as a head has.
pub(super) struct Numbers {
    letters: [u8; 6 * LONGEST + WIDEST],
    written: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            letters: [0; 6 * LONGEST + WIDEST],
            written: 0,
        }
    }
}

impl Numbers {
    #[inline]
    pub(super) fn number(&mut self, mut n: u64) {
        while n >= u64::from(MORE) {
            self.letter(LETTERS[(n % 32) as usize + usize::from(MORE)]);
            n /= 32;
        }
        self.letter(LETTERS[n as usize]);
    }

    #[inline]
    fn float(&mut self, x: f64) {
        for i in 0..WIDEST {
            self.letter(letter_of(x.to_bits(), i));
        }
    }

    #[inline]
    fn letter(&mut self, letter: u8) {
        self.letters[self.written] = letter;
        self.written += 1;
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.letters[..self.written]
    }
}

/// Bins in blocks, the last filled up with bins that hold none.
pub(super) fn blocks(bins: &[u64]) -> impl ExactSizeIterator<Item = [u64; BLOCK]> {
    bins.chunks(BLOCK).map(|bins| {
        let mut block = [0; BLOCK];
        block[..bins.len()].copy_from_slice(bins);
        block
    })
}

/// A letter of a number that is written in a width, the lowest first.
#[inline]
pub(super) fn letter_of(n: u64, letter: usize) -> u8 {
    LETTERS[(n >> (6 * letter)) as usize % 64]
}

/// Letters that a number needs where all are of one width.
pub(super) fn width_of(n: u64) -> usize {
    (u64::BITS - n.leading_zeros()).div_ceil(6) as usize
}

pub(super) fn write_block(out: &mut Vec<u8>, bins: &[u64; BLOCK]) {
    let width = width_of(bins.iter().fold(0, |all, n| all | n));
    match width {
        0 => out.push(LETTERS[0]),
        1 => {
            let mut letters = [LETTERS[1]; 1 + BLOCK];
            for i in 0..BLOCK {
                letters[1 + i] = LETTERS[bins[i] as usize % 64];
            }
            out.extend_from_slice(&letters);
        }
        2 => {
            let mut letters = [LETTERS[2]; 1 + 2 * BLOCK];
            for i in 0..BLOCK {
                let n = bins[i] as usize;
                letters[1 + 2 * i] = LETTERS[n % 64];
                letters[2 + 2 * i] = LETTERS[(n >> 6) % 64];
            }
            out.extend_from_slice(&letters);
        }
        _ => {
            out.push(LETTERS[width]);
            for n in bins {
                out.extend((0..width).map(|i| letter_of(*n, i)));
            }
        }
    }
}
