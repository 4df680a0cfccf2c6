//! Chance that a seed fixes: the documents' content, and the moment of the kill. Never for keys.

use std::ops::RangeInclusive;

use crate::demo::error::DemoError;
use crate::demo::layout::worker_names;
use crate::demo::protocol::Hold;
use crate::key_file::fill_random;

const WORDS: [&str; 16] = [
    "harbour", "lantern", "ledger", "orchard", "signal", "winter", "copper", "meadow", "anchor",
    "letter", "summit", "garden", "violet", "bridge", "candle", "river",
];

/// A sequence of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// A seed of random bytes.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn any_seed() -> Result<u64, DemoError> {
        let mut seed = [0; 8];
        fill_random(&mut seed).map_err(DemoError::process("reading random bytes"))?;
        Ok(u64::from_le_bytes(seed))
    }

    /// The sequence of this seed for this purpose.
    pub fn of(seed: u64, purpose: [u64; 2]) -> Self {
        let mut chance = Self { state: seed };
        for part in purpose {
            chance.state = chance.number() ^ part;
        }
        chance
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range; its start if it is empty.
    pub fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (start, end) = range.into_inner();
        let span = u64::from(end.saturating_sub(start)) + 1;
        let offset = u32::try_from(self.number() % span).unwrap_or_default();
        start.saturating_add(offset)
    }
}

/// A worker's document before it is encrypted. Workers and documents count from 1.
pub fn original(seed: u64, worker: u32, document: u32) -> Vec<u8> {
    let mut chance = Chance::of(seed, [u64::from(worker), u64::from(document)]);
    let mut text = format!("Document {document} of worker {worker}\n\n");
    for no in 1..=chance.within(0..=400) {
        let word = usize::try_from(chance.within(0..=15)).unwrap_or_default();
        text.push_str(WORDS.get(word).copied().unwrap_or_default());
        text.push(if no % 12 == 0 { '\n' } else { ' ' });
    }
    text.into_bytes()
}

/// The moment of the kill: between the first and the last worker and among the middle half of its
/// documents, as far as there are so many.
pub fn moment(seed: u64, workers: u32, documents: u32) -> Hold {
    let mut chance = Chance::of(seed, [0, 0]);
    let first = workers.min(2);
    let worker = chance.within(first..=workers.saturating_sub(1).max(first));
    let most = documents.saturating_sub(1);
    let least = documents.div_ceil(4).min(most);
    let names = worker_names(workers);
    let at = usize::try_from(worker.saturating_sub(1)).unwrap_or_default();
    Hold {
        worker: names.get(at).cloned().unwrap_or_default(),
        documents: chance.within(least..=(documents.saturating_mul(3) / 4).clamp(least, most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_documents_and_the_same_moment() {
        assert_eq!(original(7, 2, 3), original(7, 2, 3));
        assert_ne!(original(7, 2, 3), original(8, 2, 3));
        assert_ne!(original(7, 2, 3), original(7, 3, 2));
        assert_eq!(moment(7, 4, 50), moment(7, 4, 50));
    }

    #[test]
    fn the_moment_is_in_the_middle_wherever_there_is_one() {
        for seed in 0..500 {
            for (workers, documents) in [(2, 2), (3, 3), (4, 50), (64, 10_000), (1, 5)] {
                let hold = moment(seed, workers, documents);
                let done = hold.documents;
                assert!(
                    done >= 1 && done < documents,
                    "{workers} {documents} {hold:?}"
                );
                let names = worker_names(workers);
                let at = names.iter().position(|name| *name == hold.worker).unwrap();
                assert!(at >= 1 || workers == 1);
                assert!(at + 1 < names.len() || workers <= 2);
            }
            assert_eq!(moment(seed, 1, 1).documents, 0);
        }
    }
}
