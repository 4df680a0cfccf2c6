//! Comparing the answers of a key's store with the change that was declared last. Keys are compared by
//! fingerprint, so that the comparison outlives them.

/// The keyed fingerprints of a pair: of its forward and of its back half. Two pairs are equal where both
/// fingerprints are.
pub type HalfPrints = [[u8; 32]; 2];

/// The fingerprints of the old and of the new keys of a change, each or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Declared {
    /// Of the old keys: forward half, back half.
    pub old: Option<HalfPrints>,
    /// Of the new keys: forward half, back half.
    pub new: Option<HalfPrints>,
}

/// How the last answer of a key's store compares with what was declared last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum StoreAnswers {
    /// Nothing was declared, or the store has not answered in this lifetime.
    #[default]
    Unknown,
    /// The old keys: the store has not switched yet. Where the change has no old keys, what the store
    /// answered before the declaration counts as them.
    Old,
    /// The new keys. Where the change has no new keys, any keys but the old ones count as them.
    New,
    /// Neither: the new keys with a line end too many, for example, or another value.
    Neither,
}

impl Declared {
    /// Compares an answer of the key's store with these keys.
    pub fn compare(&self, answer: HalfPrints) -> StoreAnswers {
        match (self.old, self.new) {
            (None, None) => StoreAnswers::Unknown,
            (_, Some(new)) if new == answer => StoreAnswers::New,
            (Some(old), _) if old == answer => StoreAnswers::Old,
            (Some(_), None) => StoreAnswers::New,
            (_, Some(_)) => StoreAnswers::Neither,
        }
    }
}

/// The last answer of a key's store, and the change that was declared last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Comparison {
    declared: Declared,
    answer: Option<HalfPrints>,
    /// The last answer before the declaration, where that has no old keys: most likely it is the old keys.
    before: Option<HalfPrints>,
    warned: bool,
}

impl Comparison {
    /// A change was declared.
    pub fn declare(&mut self, declared: Declared) {
        self.declared = declared;
        self.before = self.answer.filter(|_| declared.old.is_none());
        self.warned = false;
    }

    /// The store answered. Answers true for the first answer since the declaration that is neither the
    /// old nor the new keys: that is told once.
    pub fn answer(&mut self, answer: HalfPrints) -> bool {
        self.answer = Some(answer);
        let first = !self.warned && self.result() == StoreAnswers::Neither;
        self.warned |= first;
        first
    }

    /// Whether the change that was declared last has old keys.
    pub fn has_old(&self) -> bool {
        self.declared.old.is_some()
    }

    /// Compares the last answer with the change.
    pub fn result(&self) -> StoreAnswers {
        match self.answer.map(|answer| self.declared.compare(answer)) {
            Some(StoreAnswers::Neither) if self.before == self.answer => StoreAnswers::Old,
            Some(compared) => compared,
            None => StoreAnswers::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_answer_after_a_declaration_that_is_neither_is_told() {
        let [a, b, c] = [1, 2, 3].map(|byte| [[byte; 32]; 2]);
        let (old, new) = (Some(a), Some(b));
        let mut comparison = Comparison::default();
        assert!(!comparison.answer(c));
        comparison.declare(Declared { old, new });
        // The answer from before counts in the listing.
        assert_eq!(comparison.result(), StoreAnswers::Neither);
        let told = [a, c, c, b, c].map(|answer| comparison.answer(answer));
        assert_eq!(told, [false, true, false, false, false]);
        comparison.declare(Declared { old, new });
        assert!(comparison.answer(c));
    }

    #[test]
    fn what_the_store_answered_before_a_declaration_without_old_keys_counts_as_the_old_ones() {
        let [a, b, c] = [1, 2, 3].map(|byte| [[byte; 32]; 2]);
        let mut comparison = Comparison::default();
        comparison.answer(a);
        let (old, new) = (None, Some(b));
        comparison.declare(Declared { old, new });
        assert!(!comparison.answer(a));
        assert_eq!(comparison.result(), StoreAnswers::Old);
        assert!(!comparison.answer(b));
        assert!(comparison.answer(c) && !comparison.has_old());
    }

    #[test]
    fn an_answer_is_the_old_keys_the_new_ones_or_neither() {
        let [a, b, c] = [1, 2, 3].map(|byte| Some([[byte; 32]; 2]));
        use StoreAnswers::{Neither, New, Old, Unknown};
        for (old, new, answer, compared) in [
            (None, None, a, Unknown),
            (a, b, a, Old),
            (a, b, b, New),
            (a, b, c, Neither),
            (None, b, b, New),
            (None, b, c, Neither),
            (a, None, a, Old),
            (a, None, c, New),
            (a, a, a, New),
        ] {
            let declared = Declared { old, new };
            assert_eq!(
                answer.map(|answer| declared.compare(answer)),
                Some(compared)
            );
        }
        // One half that differs is another pair.
        let mixed = [[1; 32], [9; 32]];
        assert_eq!(Declared { old: a, new: b }.compare(mixed), Neither);
    }
}
