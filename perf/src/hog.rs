// SPDX-License-Identifier: MIT
//! A task that always wants the CPU: the third one, beside the two sides of a hand-off.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::cpu::pin;

/// A thread that computes on one CPU until dropped.
#[derive(Debug)]
pub struct Hog {
    // Relaxed at both ends: the flag passes nothing on but itself.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hog {
    /// Starts one on `cpu`; it runs when this returns.
    ///
    /// # Errors
    ///
    /// If the CPU or a thread cannot be had.
    pub fn on(cpu: usize) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, started) = mpsc::channel();
        let flag = Arc::clone(&stop);
        let thread = thread::Builder::new().name("hog".into()).spawn(move || {
            let pinned = pin(cpu);
            let is_pinned = pinned.is_ok();
            // The maker waits for this message in any case.
            let _ = ready.send(
                pinned
                    .as_ref()
                    .map(drop)
                    .map_err(|error| io::Error::from(error.kind())),
            );
            while is_pinned && !flag.load(Relaxed) {
                std::hint::spin_loop();
            }
        })?;
        let hog = Self {
            stop,
            thread: Some(thread),
        };
        started.recv().map_err(io::Error::other)??;
        Ok(hog)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic; nothing to learn here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_its_guard() {
        let cpu = *crate::cpu::allowed().last().unwrap();
        drop(Hog::on(cpu).unwrap());
        assert!(Hog::on(1_000).is_err());
    }
}
