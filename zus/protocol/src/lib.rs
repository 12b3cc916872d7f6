// SPDX-License-Identifier: MIT
//! The messages of zufs, and how a client finds the server to send them to.
#![deny(unsafe_code)]

pub mod registry;
pub mod shm;
