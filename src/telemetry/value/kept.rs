//! The stored form of a running total, kept from one write to the next.
//!
//! Between two writes few bins of a total change, and of a policy that writes each request at once only one. So the
//! blocks of each provider are kept as they were written, and a record changes the letters of its own bin and what stands
//! before the blocks of its own provider. The value is the one that [`encode`](super::encode()) makes, letter by letter.

use super::encode::{begin, blocks, letter_of, width_of, write_block, write_head};
use super::{BLOCK, NUMBERS, WIDEST};
use crate::aggregate::{Aggregate, ProviderNames};
use crate::sketch::{Run, Sketch};

/// The text of a total's blocks, by the numbers of its providers; none of a provider that was not written yet.
#[derive(Debug, Default)]
pub(in super::super) struct Kept {
    providers: Vec<Option<Blocks>>,
    /// How long the text was when it was written last.
    length: usize,
}

impl Kept {
    /// What is to be stored of a total: one that is the same as when it was written last but for what was
    /// [noted](Kept::note).
    pub(in super::super) fn encode(&mut self, total: &Aggregate, names: &ProviderNames) -> Vec<u8> {
        // It grows by little.
        let known = (self.length > 0).then_some(self.length + self.length / 16);
        let mut out = begin(known);
        for (index, name, totals) in total.numbered(names) {
            if self.providers.len() <= index {
                self.providers.resize_with(index + 1, || None);
            }
            let blocks =
                self.providers[index].get_or_insert_with(|| Blocks::of(totals.latency.trimmed()));
            if blocks.head.is_empty() || blocks.counted != totals.count {
                blocks.counted = totals.count;
                blocks.head.clear();
                let (first, n) = (blocks.first, blocks.starts.len());
                write_head(&mut blocks.head, name, totals, first, n);
            }
            out.extend_from_slice(&blocks.head);
            out.extend_from_slice(&blocks.text);
        }
        self.length = out.len();
        out
    }

    /// A provider's bin of this number holds one more than before: as many as the sketch says.
    #[inline]
    pub(in super::super) fn note(&mut self, index: usize, key: i32, latency: &Sketch) {
        if let Some(kept) = self.providers.get_mut(index)
            && let Some(blocks) = kept
            && !blocks.change(key, latency)
        {
            *kept = None;
        }
    }

    /// Bytes held on the heap.
    pub(in super::super) fn memory_bytes(&self) -> usize {
        let of = |b: &Blocks| {
            let text = b.head.capacity() + b.text.capacity();
            text + b.starts.capacity() * size_of::<u32>()
        };
        let texts: usize = self.providers.iter().flatten().map(of).sum();
        texts + self.providers.capacity() * size_of::<Option<Blocks>>()
    }
}

/// A provider's total as it is stored.
#[derive(Debug, Default)]
struct Blocks {
    /// All but the blocks, and of how many records: each changes it.
    head: Vec<u8>,
    counted: u64,
    /// The number of the first bin; 0 if there is none.
    first: i32,
    /// Where in the text each block begins.
    starts: Vec<u32>,
    text: Vec<u8>,
}

impl Blocks {
    fn of(run: Run) -> Self {
        let mut kept = Blocks {
            first: run.first,
            ..Blocks::default()
        };
        for block in blocks(run.bins) {
            kept.append(&block);
        }
        kept
    }

    fn append(&mut self, block: &[u64; BLOCK]) {
        self.starts.push(self.text.len() as u32);
        write_block(&mut self.text, block);
    }

    /// Writes what a bin holds now; whether that can be done, which it cannot where the run begins before what it did.
    #[inline]
    fn change(&mut self, key: i32, latency: &Sketch) -> bool {
        let Ok(index) = usize::try_from(key - self.first) else {
            return false;
        };
        let n = latency.bins[(key - latency.first) as usize];
        let Some(&start) = self.starts.get(index / BLOCK) else {
            return self.reach(index / BLOCK, latency);
        };
        let start = start as usize;
        let width = usize::from(NUMBERS[usize::from(self.text[start])]);
        if width_of(n) > width {
            self.widen(index / BLOCK, start, width, latency);
            return true;
        }
        let at = start + 1 + index % BLOCK * width;
        for (i, letter) in self.text[at..at + width].iter_mut().enumerate() {
            *letter = letter_of(n, i);
        }
        true
    }

    /// The bins of a block, as many as the sketch has.
    fn block(&self, block: usize, latency: &Sketch) -> [u64; BLOCK] {
        let from = (self.first - latency.first) as usize + block * BLOCK;
        let upto = latency.bins.len().min(from + BLOCK);
        let mut bins = [0; BLOCK];
        bins[..upto - from].copy_from_slice(&latency.bins[from..upto]);
        bins
    }

    /// Writes a block anew that needs more letters than it had.
    #[cold]
    fn widen(&mut self, block: usize, start: usize, width: usize, latency: &Sketch) {
        let mut wider = Vec::with_capacity(1 + WIDEST * BLOCK);
        write_block(&mut wider, &self.block(block, latency));
        let before = 1 + width * BLOCK;
        let more = (wider.len() - before) as u32;
        self.text.splice(start..start + before, wider);
        for start in &mut self.starts[block + 1..] {
            *start += more;
        }
    }

    /// Appends the blocks up to one; false where there was none before, as nobody knows where they begin.
    #[cold]
    fn reach(&mut self, block: usize, latency: &Sketch) -> bool {
        if self.starts.is_empty() {
            return false;
        }
        for next in self.starts.len()..=block {
            let bins = self.block(next, latency);
            self.append(&bins);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::aggregate::{Aggregate, ProviderNames};
    use crate::record::{ProviderId, Record};
    use crate::state::Rollup;
    use crate::units::Timestamp;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::time::Duration;

    fn record(provider: u16, nanos: u64) -> Record {
        Record {
            at: Timestamp::EPOCH,
            provider: ProviderId(provider),
            latency: Duration::from_nanos(nanos),
            success: !nanos.is_multiple_of(3),
            tokens: (nanos % 1_000) as u32,
        }
    }

    /// Batches of one and of many, latencies close together and over all that can be told, at both ends too: at each
    /// write the letters are those of a total that is written whole.
    #[test]
    fn what_is_kept_is_what_would_be_written_anew() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut names = ProviderNames::default();
        for name in ["a", "an other", "third"] {
            names.intern(name);
        }
        for (spread, most) in [(1.0, 200), (6.0, 40), (36.0, 3), (44.0, 1)] {
            let mut rollup = Rollup::default();
            let mut first_and_last = [i32::MAX, i32::MIN];
            for _ in 0..400 {
                for _ in 0..rng.random_range(0..=most) {
                    let nanos = (44.0 - spread * rng.random::<f64>()).exp() as u64;
                    rollup.add(&record(rng.random_range(0..3), nanos));
                }
                let whole = rollup.total().encode(&names);
                assert_eq!(rollup.encode(&names), whole, "{spread}");
                for (_, t) in rollup.total().named(&names) {
                    let run = t.latency.trimmed();
                    let end = run.first + run.bins.len() as i32;
                    first_and_last[0] = first_and_last[0].min(run.first);
                    first_and_last[1] = first_and_last[1].max(end);
                }
            }
            let bins = first_and_last[1] - first_and_last[0];
            assert!(bins > 16 && f64::from(bins) > 40.0 * spread, "{bins}");
        }
    }

    /// As many in one bin as need three letters, beside a bin that needs one.
    #[test]
    fn a_block_is_written_anew_where_a_count_outgrows_its_letters() {
        let mut names = ProviderNames::default();
        names.intern("a");
        let mut rollup = Rollup::default();
        rollup.add(&record(0, 1_000_000_000));
        let mut lengths = Vec::new();
        for _ in 0..5_000 {
            rollup.add(&record(0, 1_100_000_000));
            let value = rollup.encode(&names);
            assert_eq!(value, rollup.total().encode(&names));
            lengths.push(value.len());
        }
        assert!(lengths[4_999] > lengths[100] + 15 && lengths[100] > lengths[10] + 15);
    }

    /// What takes no bin changes no block, and what comes before there is any begins them.
    #[test]
    fn records_without_a_bin_are_kept_too() {
        let mut names = ProviderNames::default();
        names.intern("a");
        for nanos in [
            [0, 10, 0, 2_000, 1_500, 50_000, 0, u64::MAX, 1_001],
            [0, 0, 50_000_000, 60_000_000, 0, 40_000_000, 9, 30, 1_001],
        ] {
            let mut rollup = Rollup::default();
            for nanos in nanos {
                rollup.add(&record(0, nanos));
                let whole = rollup.total().encode(&names);
                assert_eq!(rollup.encode(&names), whole, "{nanos}");
            }
        }
    }

    /// What is merged between two writes changes bins that nobody tells of.
    #[test]
    fn a_total_that_is_merged_is_written_anew() {
        let mut names = ProviderNames::default();
        names.intern("a");
        let mut other = Aggregate::default();
        let mut rollup = Rollup::default();
        for millis in [200, 900, 900, 30] {
            rollup.add(&record(0, 5_000_000));
            other.add(&record(0, millis * 1_000_000));
            rollup.merge(&other);
            let value = rollup.encode(&names);
            assert_eq!(value, rollup.total().encode(&names));
            let read = Aggregate::decode(&value, &mut names).map(|a| a.count());
            assert_eq!(read.ok(), Some(rollup.total().count()));
        }
    }

    /// What another has stored of a provider may be nothing but its name.
    #[test]
    fn a_provider_without_a_record_is_written_as_it_was_read() {
        let mut names = ProviderNames::default();
        names.intern("a");
        let mut other = Aggregate::decode(b"CBxAAAAAAAAAAAAAAAAA", &mut names).unwrap();
        other.add(&record(0, 5_000_000));
        let mut rollup = Rollup::default();
        rollup.merge(&other);
        for _ in 0..2 {
            assert_eq!(rollup.encode(&names), rollup.total().encode(&names));
            rollup.add(&record(0, 7_000_000));
        }
        assert!(rollup.encode(&names).windows(2).any(|text| text == b"Bx"));
    }

    #[test]
    fn what_is_kept_takes_memory() {
        let mut names = ProviderNames::default();
        names.intern("a");
        let mut rollup = Rollup::default();
        rollup.add(&record(0, 5_000_000));
        let before = rollup.memory_bytes();
        let value = rollup.encode(&names);
        assert!(rollup.memory_bytes() >= before + value.len() / 2);
    }
}
