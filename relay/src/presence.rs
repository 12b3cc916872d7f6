// SPDX-License-Identifier: MIT
//! Where a side is: beside each word its publisher leaves what the other needs to decide how to
//! wait. A hint: written when it changes, so that a hot hand-off never writes it, and never relied
//! on for more than the choice of a strategy's next step.

/// The bit that says that the publisher sleeps in the relay; else it runs, or is at work elsewhere.
pub const ASLEEP: u32 = 0x8000_0000;
/// The bits that say on which CPU it was last seen, plus one; 0 if never.
pub const CPU_MASK: u32 = 0x00ff_ffff;

/// Where the peer is, seen from the CPU of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It never said.
    Unknown,
    /// It sleeps, and nobody has woken it.
    Asleep,
    /// It runs, or is runnable, on this CPU: it can only go on when this thread gives way.
    Here,
    /// It runs on another CPU.
    Elsewhere,
}

/// The presence word of a side that runs on `cpu`.
#[inline]
pub const fn running(cpu: u32) -> u32 {
    cpu.wrapping_add(1) & CPU_MASK
}

/// The presence word of a side that sleeps, last seen on `cpu`.
#[inline]
pub const fn asleep(cpu: u32) -> u32 {
    running(cpu) | ASLEEP
}

impl Peer {
    /// Reads the peer's presence word, seen from `cpu`. `woken`: this side has just woken it, so that
    /// it runs as good as already.
    #[inline]
    pub(crate) fn read(word: u32, cpu: u32, woken: bool) -> Self {
        if word & ASLEEP != 0 && !woken {
            Self::Asleep
        } else if word & CPU_MASK == 0 {
            Self::Unknown
        } else if word & CPU_MASK == running(cpu) {
            Self::Here
        } else {
            Self::Elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_seen_from_ones_own_cpu() {
        assert_eq!(Peer::read(0, 0, false), Peer::Unknown);
        assert_eq!(Peer::read(running(0), 0, false), Peer::Here);
        assert_eq!(Peer::read(running(0), 1, false), Peer::Elsewhere);
        assert_eq!(Peer::read(asleep(0), 0, false), Peer::Asleep);
        assert_eq!(Peer::read(asleep(0), 0, true), Peer::Here);
        assert_eq!(Peer::read(asleep(0), 1, true), Peer::Elsewhere);
    }
}
