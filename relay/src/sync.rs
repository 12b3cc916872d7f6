// SPDX-License-Identifier: MIT
//! The one seam between the relay and the machine's atomics: under `cfg(loom)` they are loom's, and
//! the futex is modelled, so that the model checker runs the very code that ships.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::AtomicU64;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::AtomicU64;

/// One turn of a polling loop.
#[inline]
pub(crate) fn spin_hint() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    // Tells loom that this thread waits for another; else it explores polling for ever.
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// Gives the CPU away without leaving the run queue.
pub(crate) fn yield_now() {
    #[cfg(not(loom))]
    rustix::thread::sched_yield();
    #[cfg(loom)]
    loom::thread::yield_now();
}
