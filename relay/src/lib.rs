// SPDX-License-Identifier: MIT
//! The relay: a per-CPU wait object. It hands one operation at a time to another thread or process
//! and waits for the answer, spinning, yielding or sleeping as it pays.
#![deny(unsafe_code)]

#[allow(unsafe_code)] // the one file whose job it is
pub mod memory;
