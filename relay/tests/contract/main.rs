// SPDX-License-Identifier: MIT
//! What the relay promises, each promise under its name, kept by every strategy, with both sides on
//! one CPU and on two, between threads and between processes, with every kind of bell.
#![cfg(not(loom))]

mod deadlines;
mod end_of_life;
mod handoff;
mod hostile;
mod kit;
mod many;
mod turns;
