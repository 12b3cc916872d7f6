// SPDX-License-Identifier: MIT
//! `spin`: never sleeps, for a side that has a CPU to itself.

use crate::sync;
use crate::wait::Wait;

/// Looks in one round: between two, the policy, the peer and the deadline are checked. About 10 µs
/// of looks at a slot.
const ROUND: u32 = if cfg!(loom) { 2 } else { 256 };

pub(crate) fn round<W: Wait>(source: &mut W) -> Option<W::Item> {
    polls(source, ROUND)
}

/// Looks `count` times.
#[inline]
pub(super) fn polls<W: Wait>(source: &mut W, count: u32) -> Option<W::Item> {
    for done in 0..count {
        sync::spin_hint();
        if let Some(item) = source.poll() {
            source.stats().polls(done.into());
            return Some(item);
        }
    }
    source.stats().polls(count.into());
    None
}
