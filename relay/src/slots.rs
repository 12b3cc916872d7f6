// SPDX-License-Identifier: MIT
//! Where slots live: in private memory, or in memory shared with another process.

use crate::futex::Scope;
#[cfg(not(loom))]
use crate::memory::SharedMemory;
use crate::slot::Slot;
#[cfg(not(loom))]
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// Bytes of a slot in memory.
pub const SLOT_SIZE: usize = 256;

/// What keeps the slots' memory.
#[derive(Clone, Debug)]
enum Keeper {
    Private(#[expect(dead_code, reason = "held for its drop")] Arc<[Slot]>),
    #[cfg(not(loom))]
    Shared(#[expect(dead_code, reason = "held for its drop")] Arc<SharedMemory>),
}

/// A row of slots.
#[derive(Clone, Debug)]
pub struct Slots {
    first: NonNull<Slot>,
    count: usize,
    scope: Scope,
    keeper: Keeper,
}

/// One slot of a row: keeps the memory it is in. Copies are of the handle, not of the slot.
#[derive(Clone, Debug)]
pub struct SlotRef {
    slot: NonNull<Slot>,
    scope: Scope,
    #[expect(dead_code, reason = "held for its drop")]
    keeper: Keeper,
}

// SAFETY: all that is reached through the pointer is atomics, and the keeper, itself Send and Sync,
// keeps it mapped.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}
// SAFETY: as above.
unsafe impl Send for SlotRef {}
// SAFETY: as above.
unsafe impl Sync for SlotRef {}

impl Slots {
    /// `count` fresh slots in this process's own memory.
    pub fn private(count: usize) -> Self {
        let slots: Arc<[Slot]> = (0..count).map(|_| Slot::new()).collect();
        Self {
            first: NonNull::from(&*slots).cast(),
            count,
            scope: Scope::Private,
            keeper: Keeper::Private(slots),
        }
    }

    /// The `count` slots that lie at `offset` in `memory`. Zeroed memory is fresh slots.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if they are not aligned to 128 bytes or reach outside.
    #[cfg(not(loom))]
    pub fn in_memory(memory: Arc<SharedMemory>, offset: usize, count: usize) -> io::Result<Self> {
        let fits = count
            .checked_mul(SLOT_SIZE)
            .and_then(|len| len.checked_add(offset));
        if !offset.is_multiple_of(align_of::<Slot>()) || fits.is_none_or(|end| end > memory.len()) {
            let message = format!("{count} slots at {offset} in {} bytes", memory.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // SAFETY: inside the mapping, as just checked.
        let first = unsafe { memory.start().add(offset) }.cast();
        Ok(Self {
            first,
            count,
            scope: Scope::Shared,
            keeper: Keeper::Shared(memory),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The slot at `index`, from 0; `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<SlotRef> {
        (index < self.count).then(|| SlotRef {
            // SAFETY: `first` is the first of `count` slots, and `index` is one of them.
            slot: unsafe { self.first.add(index) },
            scope: self.scope,
            keeper: self.keeper.clone(),
        })
    }
}

impl SlotRef {
    /// A fresh slot of its own in private memory.
    pub fn private() -> Self {
        Slots::private(1).get(0).expect("one slot was made")
    }

    /// Who may sleep on its words.
    #[inline]
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Makes a slot that both sides have left (closed, or buried) a fresh one; false, and nothing
    /// done, if one of them has not. For the owner of the memory, when both ends are gone: an end
    /// that lives on would take part in the slot's next life.
    pub fn reset(&self) -> bool {
        Slot::reset(self)
    }
}

impl Deref for SlotRef {
    type Target = Slot;
    #[inline]
    fn deref(&self) -> &Slot {
        // SAFETY: aligned and inside memory that the keeper holds (checked when the row was made).
        // All its fields are atomics, for which any bytes are valid and any other process or thread
        // may write at any time.
        unsafe { self.slot.as_ref() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn rows_outside_the_memory_are_refused() {
        let memory = Arc::new(SharedMemory::create("relay-test", 4096).unwrap());
        let row = |offset, count| Slots::in_memory(memory.clone(), offset, count);
        assert_eq!(row(0, 16).unwrap().len(), 16);
        assert!(row(3840, 1).unwrap().get(1).is_none());
        for (offset, count) in [
            (0, 17),
            (64, 1),
            (3968, 1),
            (usize::MAX - 127, 1),
            (0, usize::MAX),
        ] {
            let error = row(offset, count).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{offset} {count}");
        }
    }

    #[test]
    fn a_slot_in_use_is_not_reset() {
        let slot = SlotRef::private();
        assert!(!slot.reset());
    }
}
