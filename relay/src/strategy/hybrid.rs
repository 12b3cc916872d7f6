// SPDX-License-Identifier: MIT
//! `hybrid`: spins while that can pay, then parks. It can pay only while the peer runs on another
//! CPU, and for no longer than sleeping and being woken would cost: so a wait never costs more than
//! about twice what it costs who knows the future. With the peer on this CPU it parks at once.

use super::{park, spin};
use crate::clock::Tick;
use crate::presence::Peer;
use crate::wait::Wait;
use std::time::{Duration, Instant};

/// Looks between two readings of the clock and the peer's presence: about 1 µs of looks at a slot.
/// A hot hand-off ends within the first batch and never reads the clock.
const BATCH: u32 = if cfg!(loom) { 1 } else { 32 };

pub(crate) fn round<W: Wait>(
    source: &mut W,
    peer: Peer,
    window: Duration,
    deadline: Option<Instant>,
) -> Option<W::Item> {
    if peer == Peer::Elsewhere
        && !window.is_zero()
        && let Some(item) = spin_for(source, window, deadline)
    {
        return Some(item);
    }
    park::round(source, deadline)
}

fn spin_for<W: Wait>(source: &mut W, window: Duration, deadline: Option<Instant>) -> Option<W::Item> {
    let start = Tick::now();
    if let Some(item) = spin::polls(source, BATCH) {
        return Some(item);
    }
    let left = deadline.map_or(window, |deadline| {
        window.min(deadline.saturating_duration_since(Instant::now()))
    });
    while u128::from(start.elapsed_ns()) < left.as_nanos() && source.peer() == Peer::Elsewhere {
        if let Some(item) = spin::polls(source, BATCH) {
            return Some(item);
        }
    }
    None
}
