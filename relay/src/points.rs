// SPDX-License-Identifier: MIT
//! Labelled points in the relay's moves where the stress test injects delays. Outside of this
//! crate's own tests they are nothing.

/// The point `label` is reached.
#[cfg(any(loom, not(test)))]
#[inline(always)]
pub(crate) fn at(_label: &'static str) {}

#[cfg(all(test, not(loom)))]
pub(crate) use delays::{Delays, at};

#[cfg(all(test, not(loom)))]
mod delays {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    thread_local! {
        static SEED: Cell<u64> = const { Cell::new(0) };
    }

    /// While it lives, this thread is delayed at random points.
    pub(crate) struct Delays(());

    impl Delays {
        /// Delays drawn from `seed`, which is not 0.
        pub(crate) fn from_seed(seed: u64) -> Self {
            assert_ne!(seed, 0);
            SEED.set(seed);
            Self(())
        }
    }

    impl Drop for Delays {
        fn drop(&mut self) {
            SEED.set(0);
        }
    }

    /// The point `_label` is reached: one time in 32, something takes long.
    pub(crate) fn at(_label: &'static str) {
        let mut seed = SEED.get();
        if seed == 0 {
            return;
        }
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        SEED.set(seed);
        match seed >> 32 & 0xfff {
            0 => std::thread::sleep(Duration::from_micros(20)),
            1..16 => rustix::thread::sched_yield(),
            16..128 => {
                let start = Instant::now();
                while start.elapsed() < Duration::from_nanos(seed & 0x7ff) {
                    std::hint::spin_loop();
                }
            }
            _ => {}
        }
    }
}
