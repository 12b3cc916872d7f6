// SPDX-License-Identifier: MIT
//! `yield`: with the peer on this CPU, gives way once. Both stay on the run queue, so a hand-off is
//! one switch and neither wakes the other. Once only: if a third task got the turn instead, yielding
//! on would hand it the CPU slice by slice, so the waiter parks.

use super::park;
use crate::presence::Peer;
use crate::sync;
use crate::wait::Wait;
use std::time::Instant;

pub(crate) fn round<W: Wait>(source: &mut W, peer: Peer, deadline: Option<Instant>) -> Option<W::Item> {
    if matches!(peer, Peer::Here | Peer::Unknown) {
        source.stats().yielded();
        sync::yield_now();
        if let Some(item) = source.poll() {
            return Some(item);
        }
    }
    park::round(source, deadline)
}
