// SPDX-License-Identifier: MIT
//! The measuring kit: what an experiment needs to turn a loop into evidence.
//!
//! A number here is a distribution ([`histogram`]), a cost ([`usage`], [`counters`]) and a comparison
//! within one run ([`rounds`]), and it carries its circumstances ([`machine`], [`calibrate`],
//! [`noise`]). What a machine cannot count is `None` ("not counted here"): never zero, never a
//! failure. What is timed, and how, is in `docs/measuring.md`.
#![deny(unsafe_code)]

pub mod calibrate;
pub mod clock;
pub mod counters;
pub mod cpu;
pub mod exchange;
pub mod histogram;
pub mod hog;
pub mod machine;
pub mod noise;
pub mod pace;
pub mod pairs;
pub mod result;
pub mod rounds;
pub mod sample;
pub mod usage;
