// SPDX-License-Identifier: MIT
//! Declares a side dead whose death it cannot publish itself.

use crate::bell::Bell;
use crate::slots::SlotRef;
use crate::state::Side;

/// Buries `side` of `slot` and wakes the other side, which sleeps by `bell`: its next look says
/// [`Dead`](crate::WaitError::Dead), after a reply that was published before.
///
/// For a guardian that knows that side to be gone: its process has ended, or its memory is never
/// used for another. A side that was buried alive learns it from its next publication, which nobody
/// takes for its own any more.
pub fn bury(slot: &SlotRef, side: Side, bell: &Bell) {
    let block = slot.block(side);
    if block.bury().is_announced() {
        bell.ring(&block.word, slot.scope());
    }
}
