// SPDX-License-Identifier: MIT
//! The JSON that an experiment leaves: one object a run. Its form is a promise to whoever reads
//! results with a program, so fields are added and never renamed. A figure that could not be had is
//! null, never 0.

mod ratio;
mod row;
mod target;

use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::calibrate::Calibration;
use crate::machine::Machine;
use crate::noise::NoiseSummary;

pub use ratio::Ratio;
pub use row::Row;
pub use target::Target;

/// One run of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The experiment's name.
    pub experiment: String,
    /// What it ran on.
    pub machine: Machine,
    /// The figures, one row for each thing measured.
    pub rows: Vec<Row>,
    /// Comparisons between rows, taken round by round.
    pub ratios: Vec<Ratio>,
    /// Verdicts on what the project promises itself.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// What a reader must know beside the figures: what was skipped, and why.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the elements of a hand-off cost here.
    pub calibration: Option<Calibration>,
    /// The platform's own pauses meanwhile.
    pub noise: Option<NoiseSummary>,
    /// When it began, in seconds since 1970.
    pub began_unix_s: Option<u64>,
    /// How long it took, in seconds.
    pub took_s: Option<f64>,
    /// Whether it was a quick run, whose figures are for orientation only.
    #[serde(default)]
    pub quick: bool,
}

impl Results {
    /// Nothing measured yet, on this machine, from now.
    pub fn begin(experiment: &str, quick: bool) -> Self {
        Self {
            experiment: experiment.to_owned(),
            machine: Machine::describe(),
            rows: Vec::new(),
            ratios: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            calibration: None,
            noise: None,
            began_unix_s: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .ok()
                .map(|age| age.as_secs()),
            took_s: None,
            quick,
        }
    }

    /// The row of that name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name() == name)
    }

    /// As JSON, for people too.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("names are text and figures finite or null");
        text.push('\n');
        text
    }

    /// Writes the JSON; a reader sees the whole or nothing.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        fs::write(&partial, self.to_json())?;
        fs::rename(&partial, path)
    }

    /// Reads what [`Results::write`] wrote.
    ///
    /// # Errors
    ///
    /// Those of the file system, and text that is no result.
    pub fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests;
