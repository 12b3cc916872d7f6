// SPDX-License-Identifier: MIT
//! Mounts through /dev/fuse. Without root or without the device, each test says so and does nothing.

mod life;
mod mounted;
mod panics;
mod strategies;
mod use_it;
