// SPDX-License-Identifier: MIT
//! One step of `cargo lab test`: its name, what it needs, what it does, how it ended.

use super::need::Need;
use crate::job::Log;
use crate::place::Place;
use crate::scratch::Scratch;
use anyhow::Result;
use std::path::Path;

/// A step as the table lists it.
pub struct Step {
    /// What a person types.
    pub name: &'static str,
    /// One line for `--list`.
    pub about: &'static str,
    /// Whether it runs without being named.
    pub by_default: bool,
    /// What must be there, or else the step is skipped.
    pub needs: &'static [Need],
    /// Does it. The text says what was seen, in a few words.
    pub run: fn(&Bench) -> Result<String>,
}

/// What a step works with.
pub struct Bench<'a> {
    /// Where the checkout and its programs are.
    pub place: &'a Place,
    /// Everything that children say.
    pub log: Log,
    /// An empty folder that disappears after the step, with everything in it.
    pub scratch: &'a Scratch,
}

/// How a step ended.
pub enum Outcome {
    /// As it should; what was seen.
    Passed(String),
    /// Not; why.
    Failed(String),
    /// It did not run; why.
    Skipped(String),
}

impl Bench<'_> {
    /// Where the step may write.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }
}
