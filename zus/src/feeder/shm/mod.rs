// SPDX-License-Identifier: MIT
//! The feeder of clients in shared memory: user space to user space, no system call while hot.

mod handshake;
mod peer;
mod socket;
