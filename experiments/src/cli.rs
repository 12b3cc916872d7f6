// SPDX-License-Identifier: MIT
//! The command `experiments`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use perf::histogram::write_log;
use perf::pace::Pace;

use crate::bench::Effort;
use crate::experiment::{ALL, Experiment, Outcome, Setting};
use crate::progress::Progress;
use crate::{report, table};

/// Latency experiments on this machine: what a hand-off costs, and what a file operation costs through it.
#[derive(Debug, Parser)]
#[command(
    name = "experiments",
    version,
    after_help = "\
Numbers of a busy machine are noise: leave it alone while this runs. Results say how noisy it was.
All that an experiment mounts or starts is gone when it ends, also after Ctrl-C."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the experiments and what each asks
    List,
    /// Runs one and prints its table, ratios and verdicts
    Run(Run),
    /// Renders all results in a folder as report.md and as one page, report.html; prints their paths
    Report {
        /// Folder with results, as `run --out` leaves them
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Which one: see `experiments list`
    name: String,
    /// Write the results as JSON; - is standard output (the table then goes to standard error)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave results (NAME.json), the histograms of each round (NAME.hlog) and the report there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Interleaved rounds [default: 9; with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// For orientation: few short rounds
    #[arg(long)]
    quick: bool,
    /// Open loop: start so many operations a second, and count each one's time from its planned start
    #[arg(long, value_name = "OPS", value_parser = rate)]
    rate: Option<Pace>,
    /// Where fs4k makes its images [default: /dev/shm, or else the temporary folder]
    #[arg(long, value_name = "DIR")]
    image_dir: Option<PathBuf>,
    /// The zus command for fs4k [default: beside this command]
    #[arg(long, value_name = "FILE")]
    zus: Option<PathBuf>,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

fn rate(text: &str) -> Result<Pace, String> {
    text.parse()
        .ok()
        .and_then(Pace::per_second)
        .ok_or_else(|| "not a number of operations a second".to_owned())
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    ///
    /// What keeps it from being done, for one line on standard error.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List => {
                let mut out = io::stdout().lock();
                ALL.iter()
                    .try_for_each(|one| writeln!(out, "{:10} {}", one.name, one.question))?;
                Ok(())
            }
            Command::Run(run) => run.run(),
            Command::Report { dir } => {
                let written = report::write(&dir)?;
                println!("{}\n{}", written.markdown.display(), written.html.display());
                Ok(())
            }
        }
    }
}

impl Run {
    fn run(self) -> anyhow::Result<()> {
        let experiment = Experiment::by_name(&self.name)?;
        // Before minutes of measuring: what cannot be written afterwards is said now.
        if let Some(dir) = &self.out {
            prepare(dir)?;
        }
        let to_stdout = self.json.as_deref() == Some(Path::new("-"));
        if let Some(path) = self.json.as_deref().filter(|_| !to_stdout) {
            File::options()
                .append(true)
                .create(true)
                .open(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let outcome = experiment.run(&self.setting())?;
        let text = table::render(&outcome.results);
        if to_stdout {
            eprint!("{text}");
            io::stdout().write_all(outcome.results.to_json().as_bytes())?;
        } else {
            print!("{text}");
        }
        if let Some(path) = self.json.as_deref().filter(|_| !to_stdout) {
            write_json(&outcome, path)?;
        }
        if let Some(dir) = &self.out {
            leave(&outcome, dir)?;
            let written = report::write(dir)?;
            eprintln!("report: {}", written.html.display());
        }
        Ok(())
    }

    fn setting(&self) -> Setting {
        let mut effort = if self.quick {
            Effort::quick()
        } else {
            Effort::full()
        };
        effort.rounds = self.rounds.map_or(effort.rounds, usize::from);
        effort.pace = self.rate.unwrap_or(effort.pace);
        Setting {
            effort,
            image_dir: self.image_dir.clone(),
            zus: self.zus.clone(),
            progress: Progress::new(&self.name, self.quiet),
        }
    }
}

/// Makes sure that results can be left in `dir`.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() && !dir.is_dir() {
        bail!("cannot write to {}: it is no folder", dir.display());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    tempfile::tempfile_in(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(())
}

fn leave(outcome: &Outcome, dir: &Path) -> anyhow::Result<()> {
    let name = &outcome.results.experiment;
    write_json(outcome, &dir.join(format!("{name}.json")))?;
    let path = dir.join(format!("{name}.hlog"));
    let log = |path: &Path| {
        let mut file = io::BufWriter::new(File::create(path)?);
        write_log(&mut file, outcome.began, &outcome.intervals)?;
        file.flush()
    };
    log(&path).with_context(|| format!("cannot write {}", path.display()))
}

fn write_json(outcome: &Outcome, path: &Path) -> anyhow::Result<()> {
    outcome
        .results
        .write(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn error(arguments: &[&str]) -> String {
        let cli = Cli::try_parse_from([&["experiments"], arguments].concat()).unwrap();
        format!("{:#}", cli.run().unwrap_err())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["experiments", "run", "handoff", "--rate", "0"]).is_err());
        assert!(Cli::try_parse_from(["experiments", "run", "handoff", "--rounds", "0"]).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_runs() {
        assert!(error(&["run", "handof"]).contains("there are handoff, fs4k"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert!(error(&["run", "handoff", "--out", path]).contains("it is no folder"));
        let below = format!("{path}/result.json");
        assert!(error(&["run", "handoff", "--json", &below]).contains(&below));
        assert!(error(&["report", path]).contains("cannot read"));
    }
}
