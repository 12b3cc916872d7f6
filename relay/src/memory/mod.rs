// SPDX-License-Identifier: MIT
//! Memory that somebody else may write at any time, and how it is reached without ever becoming a
//! Rust reference to plain bytes.

mod shared;
mod window;

pub use shared::SharedMemory;
pub use window::Window;
