//! How far a life of the journal has come with keeping the history.

/// How far the history has been read and asked about.
#[derive(Debug, Default)]
pub(super) struct Tidying {
    /// How many rotations are in the part that has been read.
    pub(super) count: u64,
    /// The last record of that part; it goes from the last record of all down to this one.
    pub(super) read_to: Option<Vec<u8>>,
    pub(super) is_read: bool,
    /// The rotations up to this one are kept for now.
    pub(super) asked_to: Option<Vec<u8>>,
}

impl Tidying {
    /// A rotation has ended, with this place in the order.
    pub(super) fn added(&mut self, order: &[u8]) {
        if self.has_read(order) {
            self.count = self.count.saturating_add(1);
        }
    }

    pub(super) fn removed(&mut self, order: &[u8]) {
        if self.has_read(order) {
            self.count = self.count.saturating_sub(1);
        }
    }

    fn has_read(&self, order: &[u8]) -> bool {
        self.is_read || self.read_to.as_deref().is_some_and(|to| order >= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_while_the_history_is_read_is_counted_once() {
        let mut tidying = Tidying::default();
        tidying.added(b"c");
        assert_eq!(tidying.count, 0, "it will be read");
        tidying.read_to = Some(b"m".to_vec());
        tidying.added(b"l");
        assert_eq!(tidying.count, 0, "it will be read");
        tidying.added(b"m");
        tidying.added(b"x");
        assert_eq!(tidying.count, 2, "it would not be read any more");
        tidying.is_read = true;
        tidying.added(b"a");
        assert_eq!(tidying.count, 3);
        tidying.removed(b"x");
        assert_eq!(tidying.count, 2);
    }
}
