//! The end of something under way, which is told in any case: what was lost is not waited for.

/// Tells an end once: by [`tell`](Self::tell), or by its drop that nothing came of it, because the
/// code that should have told it panicked.
pub struct TellOnce<E, F: FnOnce(E)> {
    open: Option<(F, E)>,
}

impl<E, F: FnOnce(E)> TellOnce<E, F> {
    /// `then` learns the end, or `nothing` if there is no other.
    pub fn new(nothing: E, then: F) -> Self {
        let open = Some((then, nothing));
        Self { open }
    }

    /// From now on this is told if nothing comes of it.
    pub fn nothing_is(&mut self, nothing: E) {
        if let Some((_, before)) = &mut self.open {
            *before = nothing;
        }
    }

    /// Tells the end.
    pub fn tell(mut self, end: E) {
        if let Some((then, _)) = self.open.take() {
            then(end);
        }
    }
}

impl<E, F: FnOnce(E)> Drop for TellOnce<E, F> {
    fn drop(&mut self) {
        if let Some((then, nothing)) = self.open.take() {
            then(nothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn it_is_told_once_whatever_becomes_of_whoever_tells_it() {
        let told = RefCell::new(Vec::new());
        let tell = |end| told.borrow_mut().push(end);
        TellOnce::new("nothing", tell).tell("done");
        let mut end = TellOnce::new("nothing", tell);
        drop(TellOnce::new("nothing", tell));
        end.nothing_is("lost");
        drop(end);
        assert_eq!(*told.borrow(), ["done", "nothing", "lost"]);
    }
}
