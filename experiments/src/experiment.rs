// SPDX-License-Identifier: MIT
//! The experiments by name, and what each is given and gives back.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use anyhow::bail;
use perf::histogram::Interval;
use perf::result::Results;

use crate::bench::{Effort, Measured};
use crate::progress::Progress;
use crate::{fs4k, handoff};

/// A question with a way to answer it.
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    run: fn(&Setting) -> anyhow::Result<Outcome>,
}

/// All of them.
pub const ALL: [Experiment; 2] = [
    Experiment {
        name: "handoff",
        question: handoff::QUESTION,
        run: handoff::run,
    },
    Experiment {
        name: "fs4k",
        question: fs4k::QUESTION,
        run: fs4k::run,
    },
];

/// What a run is given.
#[derive(Debug)]
pub struct Setting {
    /// How much of everything.
    pub effort: Effort,
    /// Where images of file systems are made; on tmpfs if not said.
    pub image_dir: Option<PathBuf>,
    /// The `zus` command; beside this one if not said.
    pub zus: Option<PathBuf>,
    /// Where it shows how far it is.
    pub progress: Progress,
}

/// What a run gives back.
#[derive(Debug)]
pub struct Outcome {
    /// The figures.
    pub results: Results,
    /// When it began.
    pub began: SystemTime,
    /// Each arm in each round, for the log.
    pub intervals: Vec<Interval>,
    started: Instant,
}

impl Setting {
    /// An empty outcome that began now.
    pub fn begin(&self, experiment: &str) -> Outcome {
        Outcome {
            results: Results::begin(experiment, self.effort.quick),
            began: SystemTime::now(),
            intervals: Vec::new(),
            started: Instant::now(),
        }
    }
}

impl Outcome {
    /// Complete, with what was measured.
    ///
    /// # Errors
    ///
    /// None; so that a run can end with it.
    pub fn finish(mut self, measured: Measured) -> anyhow::Result<Self> {
        self.results.took_s = Some(self.started.elapsed().as_secs_f64());
        self.intervals = measured.intervals;
        Ok(self)
    }
}

impl Experiment {
    /// The one of that name.
    ///
    /// # Errors
    ///
    /// An unknown name; the error lists those that exist.
    pub fn by_name(name: &str) -> anyhow::Result<Self> {
        match ALL.into_iter().find(|experiment| experiment.name == name) {
            Some(experiment) => Ok(experiment),
            None => {
                let names: Vec<_> = ALL.iter().map(|experiment| experiment.name).collect();
                bail!("unknown experiment '{name}' (there are {})", names.join(", "))
            }
        }
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// What keeps it from being run; an interrupt. Everything that it set up is gone then.
    pub fn run(self, setting: &Setting) -> anyhow::Result<Outcome> {
        (self.run)(setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        assert_eq!(Experiment::by_name("handoff").unwrap().name, "handoff");
        let error = Experiment::by_name("hand").unwrap_err().to_string();
        assert_eq!(error, "unknown experiment 'hand' (there are handoff, fs4k)");
    }
}
