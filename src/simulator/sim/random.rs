//! Random number streams, named by purpose and entity.
//!
//! A stream depends on (seed, replication, name) and on nothing else. Two
//! policies that use the same names therefore meet the same arrivals and the
//! same failures (common random numbers), and a new stream changes no other.

use rand::SeedableRng;
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// The generator behind every stream.
pub type StreamRng = Xoshiro256PlusPlus;

/// The family of streams of one replication.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    key: u64,
}

impl Streams {
    /// The streams of replication number `replication` under `seed`.
    pub fn new(seed: u64, replication: u64) -> Self {
        Streams {
            key: mix(mix(seed) ^ replication.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        }
    }

    /// The stream called `name`, from its beginning.
    pub fn stream(&self, name: &str) -> StreamRng {
        // FNV-1a spreads the name, SplitMix64 (inside `seed_from_u64`) the bits.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        StreamRng::seed_from_u64(mix(self.key ^ hash))
    }
}

/// One step of SplitMix64.
fn mix(x: u64) -> u64 {
    use rand::Rng;
    SplitMix64::seed_from_u64(x).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stream_depends_on_seed_replication_and_name_only() {
        let first =
            |seed, replication, name| Streams::new(seed, replication).stream(name).next_u64();
        let base = first(1, 0, "arrivals");
        assert_eq!(base, first(1, 0, "arrivals"));
        for other in [
            first(2, 0, "arrivals"),
            first(1, 1, "arrivals"),
            first(1, 0, "latency"),
        ] {
            assert_ne!(base, other);
        }
    }
}
