// SPDX-License-Identifier: MIT
//! Cheap timestamps: the CPU's own counter where it is constant and synchronous, the kernel's
//! monotonic clock elsewhere. A stamp costs tens of nanoseconds at most, and every experiment prices
//! it with an empty loop.

use std::time::Duration;

/// A clock that was calibrated when it was made. Cloning is free; the calibration is shared.
#[derive(Clone, Debug)]
pub struct Clock(quanta::Clock);

/// A moment, in the clock's own units: comparable only through the [`Clock`] that took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Clock {
    /// Calibrates the counter against the monotonic clock, once a process (some milliseconds).
    pub fn new() -> Self {
        Self(quanta::Clock::new())
    }

    /// Now.
    #[inline(always)]
    pub fn stamp(&self) -> Stamp {
        Stamp(self.0.raw())
    }

    /// Nanoseconds from one stamp to a later one; 0 if it is not later.
    #[inline(always)]
    pub fn ns(&self, from: Stamp, to: Stamp) -> u64 {
        self.0.delta_as_nanos(from.0, to.0)
    }

    /// The time from `from` to now.
    #[inline]
    pub fn since(&self, from: Stamp) -> Duration {
        Duration::from_nanos(self.ns(from, self.stamp()))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_at_least_as_long_as_asked() {
        let clock = Clock::new();
        let from = clock.stamp();
        std::thread::sleep(Duration::from_millis(3));
        // A calibration is exact to parts in a thousand: leave it that much room.
        assert!(clock.since(from) >= Duration::from_micros(2_900));
        assert_eq!(clock.ns(clock.stamp(), from), 0, "time does not run backwards");
    }
}
