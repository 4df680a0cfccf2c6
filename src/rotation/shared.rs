//! A list and its copies share what none has changed since, so that a copy costs little.

use std::sync::Arc;

/// So many lie together: these are copied where one of them changes while a copy of the list is there.
const CHUNK: usize = 64;

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SharedList<T> {
    /// All full but the last one.
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for SharedList<T> {
    fn default() -> Self {
        let (chunks, len) = (Vec::new(), 0);
        Self { chunks, len }
    }
}

impl<T: Clone> SharedList<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[cfg(feature = "testing")]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Into how many parts it is divided, which is what copying it costs.
    pub fn parts(&self) -> usize {
        self.chunks.len()
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// One of them, to be changed.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let chunk = self.chunks.get_mut(at / CHUNK)?;
        Arc::make_mut(chunk).get_mut(at % CHUNK)
    }

    /// The last one.
    pub fn last(&self) -> Option<&T> {
        self.get(self.len.checked_sub(1)?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Adds one behind all others.
    pub fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        if let Some(chunk) = self.chunks.last_mut() {
            Arc::make_mut(chunk).push(item);
            self.len += 1;
        }
    }

    /// Where the one is that `order` finds equal; they are in that order.
    pub fn find_by(&self, order: impl Fn(&T) -> std::cmp::Ordering) -> Option<usize> {
        let first = |chunk: &Arc<Vec<T>>| chunk.first().is_some_and(|item| order(item).is_le());
        let chunk = self.chunks.partition_point(first).checked_sub(1)?;
        let at = self.chunks.get(chunk)?.binary_search_by(order).ok()?;
        Some(chunk * CHUNK + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was_and_shares_what_has_not_changed() {
        let mut list = SharedList::default();
        assert!(list.is_empty() && list.last().is_none() && list.get(0).is_none());
        (0..1_000).for_each(|no| list.push(2 * no));
        let copy = list.clone();
        *list.get_mut(500).unwrap() = 1_001;
        list.push(7);
        assert_eq!((list.len(), list.last()), (1_001, Some(&7)));
        assert_eq!(
            copy.iter().copied().collect::<Vec<_>>(),
            Vec::from_iter((0..1_000).map(|no| 2 * no))
        );
        assert_eq!((list.get(500), copy.get(500)), (Some(&1_001), Some(&1_000)));
        let same = |(a, b): &(&Arc<Vec<i32>>, &Arc<Vec<i32>>)| Arc::ptr_eq(a, b);
        let shared = list.chunks.iter().zip(&copy.chunks).filter(same).count();
        assert_eq!(
            (shared, copy.parts()),
            (14, 16),
            "all but those of the change and of the end"
        );
    }

    #[test]
    fn what_is_in_order_is_found() {
        let mut list = SharedList::default();
        (0..200).for_each(|no| list.push(2 * no));
        for no in 0..400 {
            let found = list.find_by(|item| item.cmp(&no));
            assert_eq!(found, (no % 2 == 0).then_some(no as usize / 2));
        }
    }
}
