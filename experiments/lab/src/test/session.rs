// SPDX-License-Identifier: MIT
//! A run of steps: what is missing is installed first, then one step after the other.

use super::need::{self, Need};
use super::step::{Bench, Outcome, Step};
use super::{Arguments, steps};
use crate::job::Log;
use crate::place::{Place, can_mount};
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::stop::{self, Interrupted};
use anyhow::{Context, Result, bail};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Lines of a log that are shown when its step fails.
const TAIL: usize = 40;

/// Runs what was asked for.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.list {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&arguments.names)?;
    let session = Session {
        place: Place::find()?,
        progress: Progress::new(),
        counts: [0; 3],
        built: false,
    };
    session.run(&chosen, !arguments.no_install)
}

fn list() {
    for step in steps::ALL {
        let long = if step.by_default {
            ""
        } else {
            " (long: only by name)"
        };
        println!("{:<16} {}{long}", step.name, step.about);
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Step>> {
    if names.is_empty() {
        return Ok(steps::ALL.iter().filter(|step| step.by_default).collect());
    }
    let find = |name: &String| {
        let known = || {
            steps::ALL
                .iter()
                .map(|step| step.name)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let found = steps::ALL.iter().find(|step| step.name == name);
        found.with_context(|| format!("no test is called `{name}`; there are: {}", known()))
    };
    names.iter().map(find).collect()
}

struct Session {
    place: Place,
    progress: Progress,
    /// Passed, failed, skipped.
    counts: [u32; 3],
    /// Whether the programs under test are there, and those of today.
    built: bool,
}

impl Session {
    fn run(mut self, steps: &[&Step], install: bool) -> Result<ExitCode> {
        self.provide(steps, install)?;
        self.build(steps)?;
        let mut ended = Ok(());
        for step in steps {
            if let Err(interrupted) = self.step(step, install) {
                ended = Err(interrupted);
                break;
            }
        }
        drop(self.progress);
        let [passed, failed, skipped] = self.counts;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        ended?;
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Installs what the steps need, if that is wanted and possible. Where it fails the steps that wanted
    /// it say so.
    fn provide(&self, steps: &[&Step], install: bool) -> Result<()> {
        let needs = || steps.iter().flat_map(|step| step.needs);
        let packages = need::missing_packages(needs());
        if !packages.is_empty() {
            let command = need::install_command(&packages);
            if install && nix::unistd::geteuid().is_root() {
                self.progress.line(&format!("installing from Debian: {command}"));
                self.working("install-debian", |log| need::install_packages(&packages, log))?;
            } else {
                self.progress
                    .line(&format!("missing from Debian; to install it: {command}"));
            }
        }
        for crate_ in need::missing_crates(&self.place, needs()) {
            if let (true, Need::Crate(_, package, version)) = (install, crate_) {
                self.progress
                    .line(&format!("installing from crates.io: {package} {version}"));
                let name = format!("install-{package}");
                self.working(&name, |log| {
                    need::install_crate(&self.place, package, version, log)
                })?;
            }
        }
        Ok(())
    }

    /// Builds our own programs if a step mounts something.
    fn build(&mut self, steps: &[&Step]) -> Result<()> {
        if steps.iter().any(|step| step.needs.contains(&Need::Mounting)) && can_mount().is_ok() {
            self.progress.line("building zus and experiments");
            self.built = self.working("build", |log| self.place.build(log))?;
        }
        Ok(())
    }

    /// Does something with a log of its own and says how it went.
    fn working(&self, name: &str, work: impl FnOnce(&Log) -> Result<()>) -> Result<bool> {
        let log = self.place.log("test", name)?;
        self.progress.begin(name);
        let begun = Instant::now();
        let ended = work(&log);
        stop::check()?;
        let time = seconds(begun.elapsed());
        match &ended {
            Ok(()) => self.progress.line(&format!("done {time} {name}")),
            Err(error) => {
                let told = indent(&log.tail(TAIL));
                self.progress
                    .line(&format!("FAIL {time} {name:<16} {error:#}\n{told}"));
            }
        }
        Ok(ended.is_ok())
    }

    fn step(&mut self, step: &Step, install: bool) -> Result<(), Interrupted> {
        self.progress.begin(step.name);
        let begun = Instant::now();
        let outcome = self.outcome(step, install);
        stop::check()?;
        let (index, word, text) = match &outcome {
            Outcome::Passed(text) => (0, "ok  ", text),
            Outcome::Failed(text) => (1, "FAIL", text),
            Outcome::Skipped(text) => (2, "SKIP", text),
        };
        self.counts[index] += 1;
        let time = seconds(begun.elapsed());
        self.progress
            .line(format!("{word} {time} {:<16} {text}", step.name).trim_end());
        Ok(())
    }

    fn outcome(&self, step: &Step, install: bool) -> Outcome {
        let log = match self.place.log("test", step.name) {
            Ok(log) => log,
            Err(error) => return Outcome::Failed(format!("{error:#}")),
        };
        for need in step.needs {
            if let Some(reason) = need.missing(&self.place, &log) {
                // What we were free to install and could not is a failure: nobody would see the gap.
                let tried = match need {
                    Need::Command(..) => install && nix::unistd::geteuid().is_root(),
                    Need::Crate(..) => install,
                    Need::Mounting | Need::Component(..) => false,
                };
                return if tried {
                    Outcome::Failed(reason)
                } else {
                    Outcome::Skipped(reason)
                };
            }
        }
        if step.needs.contains(&Need::Mounting) && !self.built {
            return Outcome::Failed("the programs under test could not be built".into());
        }
        let ran = Scratch::new(None).and_then(|scratch| {
            let bench = Bench {
                place: &self.place,
                log: log.clone(),
                scratch: &scratch,
            };
            catch_unwind(AssertUnwindSafe(|| (step.run)(&bench)))
                .unwrap_or_else(|_| bail!("the step panicked"))
        });
        match ran {
            Ok(text) => Outcome::Passed(text),
            Err(error) => {
                let told = log.tail(TAIL);
                Outcome::Failed(format!(
                    "{error:#}\n{}\n  all of it: {}",
                    indent(&told),
                    log.path().display()
                ))
            }
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:>6.1} s", time.as_secs_f64())
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("  | {line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}
