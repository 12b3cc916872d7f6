// SPDX-License-Identifier: MIT
//! A promise, and how it stands.

use serde::{Deserialize, Serialize};

/// One promise and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its short name.
    pub id: String,
    /// What is measured.
    pub what: String,
    /// The measured figure; null if it could not be had.
    pub measured: Option<f64>,
    /// The most that it may be.
    pub target: f64,
    /// Whether it is; null if nothing was measured.
    pub met: Option<bool>,
    /// What stands in the way, or what limits the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Target {
    /// Judges: met if the figure is at most the target.
    pub fn at_most(id: &str, what: impl Into<String>, measured: Option<f64>, target: f64) -> Self {
        Self {
            id: id.to_owned(),
            what: what.into(),
            measured,
            target,
            met: measured.map(|measured| measured <= target),
            note: None,
        }
    }

    /// With a remark.
    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// What was measured (a dash for nothing) and the most that it may be, as text. Targets of a
    /// thousandth are told with more digits than ratios.
    pub fn figures(&self) -> (String, String) {
        let places = if self.target < 0.01 { 5 } else { 3 };
        let text = |figure: f64| format!("{figure:.places$}");
        (self.measured.map_or("-".to_owned(), text), text(self.target))
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let verdict = match self.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        };
        let (measured, target) = self.figures();
        let mut line = format!(
            "{:4} {verdict}: {}: {measured}, target at most {target}",
            self.id, self.what
        );
        if let Some(note) = &self.note {
            line += &format!(" ({note})");
        }
        line
    }
}
