//! Looking for one secret in the readings of a text, in a time that grows with the text alone.

use zeroize::Zeroizing;

use super::notation::Notation;
use super::read::{Reading, Unescaped, Unit};

/// A part of the text, from its first byte to behind its last one.
pub(super) type Span = (u32, u32);

/// Where an occurrence may continue after a byte that does not fit (Knuth, Morris, Pratt).
///
/// Entry `n` is the length of the longest proper beginning of the secret that its first `n` bytes
/// also end in. It tells about the secret, so it is wiped like one.
pub(super) struct Search<'a> {
    secret: &'a [u8],
    shorter: Zeroizing<Vec<u32>>,
}

impl<'a> Search<'a> {
    /// Prepares the search for a secret, which is not empty.
    pub(super) fn new(secret: &'a [u8]) -> Self {
        let room = secret.len().saturating_add(1);
        let mut search = Self {
            secret,
            shorter: Zeroizing::new(Vec::with_capacity(room)),
        };
        search.shorter.extend([0, 0]);
        let mut length = 0;
        for byte in secret.iter().skip(1) {
            length = search.extend(length, *byte);
            search.shorter.push(u32::try_from(length).unwrap_or(0));
        }
        search
    }

    /// The longest beginning of the secret that a row ends in, which ended in `length` bytes of it
    /// and goes on with `byte`.
    fn extend(&self, mut length: usize, byte: u8) -> usize {
        loop {
            if self.secret.get(length) == Some(&byte) {
                return length.saturating_add(1);
            }
            if length == 0 {
                return 0;
            }
            length = self
                .shorter
                .get(length)
                .map_or(0, |shorter| *shorter as usize);
        }
    }

    /// Adds every occurrence in a reading.
    pub(super) fn find(&self, reading: &Reading, found: &mut Vec<Span>) {
        if reading.units.len() < self.secret.len() {
            return;
        }
        let before = self.secret.len().saturating_sub(1);
        let mut length = 0;
        for (at, unit) in reading.units.iter().enumerate() {
            if unit.fresh {
                length = 0;
            }
            length = self.extend(length, unit.byte);
            if length == self.secret.len() {
                let first = at.checked_sub(before).and_then(|at| reading.units.get(at));
                found.extend(first.map(|first| (first.start, unit.end)));
            }
        }
    }

    /// Adds the occurrences that begin inside what reads as one escape of the text before them.
    ///
    /// Each is compared step by step; `budget` is what is left of the steps, and with 0 the search
    /// was given up.
    pub(super) fn find_inside(
        &self,
        (source, notation): (&Reading, Notation),
        unescaped: &Unescaped,
        budget: &mut usize,
        found: &mut Vec<Span>,
    ) {
        for at in &unescaped.inside {
            let Some(units) = source.units.get(*at..) else {
                continue;
            };
            found.extend(self.starts(units, notation, budget));
            if *budget == 0 {
                return;
            }
        }
    }

    fn starts(&self, mut units: &[Unit], notation: Notation, budget: &mut usize) -> Option<Span> {
        let start = units.first()?.start;
        let mut left = self.secret;
        loop {
            *budget = budget.checked_sub(1)?;
            let token = notation.token(units)?;
            let bytes = token.bytes.as_slice();
            let end = token.units.last()?.end;
            // The secret may end within the bytes of a character.
            if bytes.starts_with(left) {
                return Some((start, end));
            }
            left = left.strip_prefix(bytes)?;
            units = units.get(token.units.len()..)?;
        }
    }
}
