// SPDX-License-Identifier: MIT
//! The report over a folder of results: one page of HTML that needs nothing else, the same in
//! Markdown, and the plots as files.

mod figures;
mod html;
mod markdown;
mod plot;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use perf::result::Results;

use crate::experiment;
use crate::recommend::recommend;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The same in Markdown.
    pub markdown: PathBuf,
}

/// Renders all results that are in `dir` into it.
///
/// # Errors
///
/// No results there; a folder that cannot be read or written.
pub fn write(dir: &Path) -> anyhow::Result<Written> {
    let all = collect(dir)?;
    let mut chapters = Vec::new();
    let plots = dir.join("plots");
    fs::create_dir_all(&plots).with_context(|| format!("cannot write to {}", dir.display()))?;
    for results in all {
        let figures = figures::figures(&results);
        for figure in &figures {
            for (kind, svg) in [("curves", &figure.curves), ("dots", &figure.dots)] {
                let path = plots.join(format!("{}-{kind}.svg", figure.slug));
                fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        chapters.push(Chapter {
            question: question(&results),
            advice: advice(&results),
            results,
            figures,
        });
    }
    let written = Written {
        html: dir.join("report.html"),
        markdown: dir.join("report.md"),
    };
    for (path, text) in [
        (&written.html, html::render(&chapters)),
        (&written.markdown, markdown::render(&chapters)),
    ] {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(written)
}

/// One result with all that is said of it.
#[derive(Debug)]
struct Chapter {
    question: &'static str,
    advice: Vec<String>,
    results: Results,
    figures: Vec<figures::Figure>,
}

/// The results in a folder, in the order of the experiments.
fn collect(dir: &Path) -> anyhow::Result<Vec<Results>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            // A folder may hold other people's JSON: what is no result is passed over.
            all.extend(Results::read(&path).ok());
        }
    }
    if all.is_empty() {
        bail!(
            "no results in {} ('experiments run NAME --out {0}' leaves them there)",
            dir.display()
        );
    }
    let order = |results: &Results| {
        let name = &results.experiment;
        (
            experiment::ALL
                .iter()
                .position(|known| known.name == name)
                .unwrap_or(usize::MAX),
            name.clone(),
        )
    };
    all.sort_by_key(order);
    Ok(all)
}

fn question(results: &Results) -> &'static str {
    experiment::Experiment::by_name(&results.experiment).map_or("", |experiment| experiment.question)
}

/// What to mount with, by feeder where there are several.
fn advice(results: &Results) -> Vec<String> {
    let ours = results.rows.iter().filter(|row| row.strategy.is_some());
    let mechanisms: BTreeSet<&str> = ours.map(|row| row.mechanism.as_str()).collect();
    let say = |mechanism: &&str| {
        let reason = recommend(results, Some(mechanism))?.reason;
        Some(if mechanisms.len() > 1 {
            format!("through {mechanism}, {reason}")
        } else {
            reason
        })
    };
    mechanisms.iter().filter_map(say).collect()
}

#[cfg(test)]
mod tests;
