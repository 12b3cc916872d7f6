// SPDX-License-Identifier: MIT
//! The strategies: how a side waits, one small file each. Each file gives one *round* of waiting:
//! bounded, or asleep; [`Policy::wait`](crate::Policy::wait) repeats rounds and reads the policy
//! before each. The order inside a round is fixed: spin, announce, recheck, sleep.

pub(crate) mod hybrid;
pub(crate) mod park;
pub(crate) mod spin;
pub(crate) mod waitqueue;
pub(crate) mod yield_once;

use std::fmt;
use std::str::FromStr;

/// How a side waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Strategy {
    /// Always sleeps, always wakes: the baseline.
    Waitqueue = 0,
    /// Sleeps at once, wakes only who announced itself.
    Park = 1,
    /// With the peer on the same CPU, gives way once without leaving the run queue, then parks.
    Yield = 2,
    /// Never sleeps.
    Spin = 3,
    /// Spins while that can pay, then parks.
    Hybrid = 4,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waitqueue, Self::Park, Self::Yield, Self::Spin, Self::Hybrid];

    /// Its name, as given at mount.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waitqueue => "waitqueue",
            Self::Park => "park",
            Self::Yield => "yield",
            Self::Spin => "spin",
            Self::Hybrid => "hybrid",
        }
    }

    /// The strategy whose discriminant is `index`.
    #[inline]
    pub(crate) const fn from_index(index: u8) -> Self {
        match index {
            0 => Self::Waitqueue,
            1 => Self::Park,
            2 => Self::Yield,
            3 => Self::Spin,
            _ => Self::Hybrid,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown relay strategy '{0}' (there are waitqueue, park, yield, spin, hybrid)")]
pub struct UnknownStrategy(String);

impl FromStr for Strategy {
    type Err = UnknownStrategy;
    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        found.ok_or_else(|| UnknownStrategy(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_and_an_unknown_one_lists_them() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
            assert_eq!(Strategy::from_index(strategy as u8), strategy);
        }
        let message = "dance".parse::<Strategy>().unwrap_err().to_string();
        assert!(
            Strategy::ALL.iter().all(|known| message.contains(known.name())),
            "{message}"
        );
        assert!(message.contains("'dance'"));
    }
}
