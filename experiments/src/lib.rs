// SPDX-License-Identifier: MIT
//! The questions that zufs asks of a machine, each runnable: how a hand-off is priced, what a file
//! operation costs through each feeder, and which strategy this machine should mount with.
#![deny(unsafe_code)]

pub mod bench;
pub mod cli;
pub mod experiment;
pub mod fs4k;
pub mod handoff;
pub mod interrupt;
pub mod progress;
pub mod recommend;
pub mod report;
pub mod table;
