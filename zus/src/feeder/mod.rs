// SPDX-License-Identifier: MIT
//! What brings messages to the engine and takes the replies back. A mount has one feeder at a time.
//!
//! A feeder owns threads, and memory that messages come in; it knows nothing of file systems. It asks
//! [`Mount::session`](crate::engine::Mount::session) for a session per client and calls
//! [`Session::handle`](crate::engine::Session::handle) for each message.

mod desk;
pub mod fuse;
pub mod shm;
pub mod zuf;
