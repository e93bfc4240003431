//! The ends of chains of spans, with each step of a trace taken once however many chains share it.

/// What is known of the spans of one trace; its room is used again.
#[derive(Default)]
pub(crate) struct Tops {
    /// The end of the chain that begins with each span, where it is known.
    known: Vec<Option<u32>>,
    way: Vec<usize>,
}

impl Tops {
    /// Begins with a trace of so many spans.
    pub(crate) fn begin(&mut self, spans: usize) {
        self.known.clear();
        self.known.resize(spans, None);
    }

    /// The last span that is reached from `index` by `above`, which leads nowhere twice.
    pub(crate) fn of(&mut self, index: usize, above: impl Fn(usize) -> Option<usize>) -> usize {
        let mut top = index;
        self.way.clear();
        loop {
            if let Some(known) = self.known.get(top).copied().flatten() {
                top = known as usize;
                break;
            }
            self.way.push(top);
            let Some(next) = above(top) else { break };
            top = next;
        }
        for index in self.way.drain(..) {
            if let (Some(known), Ok(top)) = (self.known.get_mut(index), u32::try_from(top)) {
                *known = Some(top);
            }
        }
        top
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_chain_has_its_end_and_no_step_is_taken_twice() {
        // Two chains that meet at 4: 0 → 2 → 4 → 5, 1 → 3 → 4 → 5; and 6 alone.
        let above = [Some(2), Some(3), Some(4), Some(4), Some(5), None, None];
        let steps = Cell::new(0);
        let mut tops = Tops::default();
        for _ in 0..2 {
            tops.begin(above.len());
            steps.set(0);
            let mut top = |index: usize| {
                tops.of(index, |index| {
                    steps.set(steps.get() + 1);
                    above[index]
                })
            };
            assert_eq!([0, 1, 2, 6, 0, 5].map(&mut top), [5, 5, 5, 6, 5, 5]);
            assert_eq!(steps.get(), above.len());
        }
    }
}
