// SPDX-License-Identifier: MIT
//! The zufs server. Read from the bottom up: [`store`] is a medium that bytes are stored to, [`fs`] the
//! file systems and the one trait they implement, [`engine`] answers protocol messages with a file
//! system, [`feeder`] brings the messages.
#![deny(unsafe_code)]

pub mod engine;
pub mod error;
pub mod feeder;
pub mod fs;
pub mod mountinfo;
pub mod store;
