// SPDX-License-Identifier: MIT
//! How far a run has come: a bar on a terminal, a line a round elsewhere. On standard error, so that
//! standard output is the result alone.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows the steps of one run.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    name: String,
}

impl Progress {
    /// For a run of that name. A quiet one says nothing.
    pub fn new(name: &str, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg:32!}")
                .expect("a template that is fixed");
            ProgressBar::new(0).with_style(style).with_prefix(name.to_owned())
        });
        Self {
            bar,
            quiet,
            name: name.to_owned(),
        }
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.quiet => {}
            None => eprintln!("{}: {text}", self.name),
        }
    }

    /// So many steps are ahead.
    pub fn steps(&self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps as u64);
        }
    }

    /// A round begins.
    pub fn round(&self, round: usize, rounds: usize) {
        if self.bar.is_none() {
            self.note(&format!("round {} of {rounds}", round + 1));
        }
    }

    /// The next step begins.
    pub fn step(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
