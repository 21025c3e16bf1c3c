//! Which parts of a matrix one call of a kernel computes, and which of them it reads side by side.

use std::ops::Range;

/// Units of parts (bundles or groups of rows): unit `u` is the parts `u`, `u + distance`, `u + 2 * distance`, ... below `parts`.
/// They lie far apart and are read as streams; a call with neighbouring units reads every stream on and on, and a pause between
/// two calls, in which nothing is asked of the memory, is rare.
#[derive(Debug, Clone)]
pub struct Units {
    /// Units to compute.
    pub range: Range<usize>,
    /// Parts between two streams.
    pub distance: usize,
    /// Parts of the matrix.
    pub parts: usize,
}

impl Units {
    /// All units of `parts` parts, each of at most `streams` parts.
    pub fn of(parts: usize, streams: usize) -> Self {
        let distance = parts.div_ceil(streams);
        Self { range: 0..distance, distance, parts }
    }

    /// Parts of `unit`: the last units may have fewer.
    #[inline(always)]
    pub fn streams(&self, unit: usize) -> usize {
        (self.parts - unit).div_ceil(self.distance.max(1))
    }

    /// Part `stream` of `unit`.
    #[inline(always)]
    pub fn part(&self, unit: usize, stream: usize) -> usize {
        unit + stream * self.distance
    }

    /// The range cut in two, so that the units of each have the same number of parts.
    pub(super) fn even(&self) -> [Range<usize>; 2] {
        let fewer =
            self.parts.saturating_sub(self.parts.saturating_sub(1) / self.distance.max(1) * self.distance);
        let cut = fewer.clamp(self.range.start, self.range.end);
        [self.range.start..cut, cut..self.range.end]
    }

    /// Checks that every unit has a part.
    pub(super) fn check(&self) {
        let lie = self.range.is_empty() || (self.range.end <= self.parts && self.range.end <= self.distance);
        assert!(lie, "units {:?} of {} parts, {} apart", self.range, self.parts, self.distance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_hold_each_part_once_and_even_ranges_have_equal_numbers_of_streams() {
        for parts in 1..40 {
            for streams in 1..10 {
                let units = Units::of(parts, streams);
                units.check();
                let mut seen = vec![0; parts];
                for unit in units.range.clone() {
                    assert!(units.streams(unit) <= streams);
                    (0..units.streams(unit)).for_each(|stream| seen[units.part(unit, stream)] += 1);
                }
                assert!(seen.iter().all(|&n| n == 1), "{parts} parts, {streams} streams: {seen:?}");
                let [first, second] = units.even();
                assert_eq!((first.start, first.end, second.end), (0, second.start, units.range.end));
                for range in [first, second] {
                    assert!(range.clone().all(|unit| units.streams(unit) == units.streams(range.start)));
                }
            }
        }
    }
}
