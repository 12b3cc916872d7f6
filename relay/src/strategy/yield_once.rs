// SPDX-License-Identifier: MIT
//! `yield`: with the peer on this CPU, gives way once. Both stay on the run queue, so a hand-off is
//! one switch and neither wakes the other. Once only: who yields on and on to a peer that is at work
//! elsewhere burns the CPU, so then the waiter parks.
//!
//! With a third task runnable on this CPU a yield is a disaster: that one may run for its time slice
//! (measured: 1.4 ms an operation against 8 µs). A yield saves half a microsecond or so, so one that
//! took long has to be earned back: it bars as many waits from yielding, and they park, as make its
//! price small among them. If it was the operation that took long, parking hardly adds to it.

use super::park;
use crate::clock::Tick;
use crate::presence::Peer;
use crate::sync;
use crate::wait::Wait;
use std::time::Instant;

/// Longer than two switches and a short operation, far shorter than a time slice.
const LONG_NS: u64 = 50_000;
/// A long yield bars one wait for each so many nanoseconds that it took: with a time slice of 3 ms,
/// 6,000 waits, or some 20 ms of them.
const PRICE_NS: u64 = 512;
/// The longest bar, in waits.
const MAX_BAR: u64 = 20_000;

pub(crate) fn round<W: Wait>(source: &mut W, peer: Peer, deadline: Option<Instant>) -> Option<W::Item> {
    if matches!(peer, Peer::Here | Peer::Unknown) && !source.stats().is_barred() {
        let start = Tick::now();
        sync::yield_now();
        let took_ns = start.elapsed_ns();
        let bar = if took_ns > LONG_NS {
            (took_ns / PRICE_NS).min(MAX_BAR)
        } else {
            0
        };
        source.stats().yielded(bar);
        if let Some(item) = source.poll() {
            return Some(item);
        }
    }
    park::round(source, deadline)
}
