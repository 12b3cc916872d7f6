// SPDX-License-Identifier: MIT
//! Mounts through /dev/fuse. Without root or without the device, each test says so and does nothing.

mod faults;
mod life;
mod mounted;
mod strategies;
mod use_it;
