// SPDX-License-Identifier: MIT
//! `cargo lab demo`: a file system mounted, filled, verified and measured; what stays is a report.

mod calibration;
mod fill;
mod measure;

use crate::job::Log;
use crate::mount::Image;
use crate::place::{Place, can_mount};
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::stop::Interrupted;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// How the demo is run.
#[derive(clap::Args)]
pub struct Arguments {
    /// Size of the image, as `zus mkfs` takes it
    #[arg(long, default_value = "256M")]
    size: String,
    /// Where the image goes for as long as the demo lasts [default: where temporary files go]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave the image, filled and unmounted, and say where it is
    #[arg(long)]
    keep: bool,
}

/// Runs it and says what it was that failed, if anything did.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = Place::find()?;
    let log = place.log("demo", "demo")?;
    let show = Progress::new();
    let demo = Demo {
        place: &place,
        show: &show,
        log: &log,
        began: Instant::now(),
    };
    let outcome = demo.run(arguments);
    drop(show);
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            eprintln!("{}\n(the end of {})", log.tail(15), log.path().display());
            Err(error.context("the demo did not finish"))
        }
    }
}

struct Demo<'a> {
    place: &'a Place,
    show: &'a Progress,
    log: &'a Log,
    began: Instant,
}

impl Demo<'_> {
    fn run(&self, arguments: &Arguments) -> Result<()> {
        self.stage("building", "zus and experiments", || {
            self.place.build(self.log)?;
            Ok(((), "release programs".into()))
        })?;
        let mut scratch = Scratch::new(arguments.dir.as_deref())?;
        let first = self.stage("calibrating", "this machine", || Ok(calibration::recommend()))?;
        match can_mount() {
            Ok(()) => self.fill(arguments, &scratch, first)?,
            Err(why) => self.show.line(&format!(
                "no mount here: {why}; what follows is shown over shared memory"
            )),
        }
        let results = self.measure(&scratch)?;
        self.show.line("");
        self.show.line(&measure::summary(&results));
        self.show.line(&measure::advice(&results));
        self.show.line("");
        if arguments.keep && can_mount().is_ok() {
            scratch.keep();
            let image = scratch.path().join(Image::NAME);
            self.show.line(&format!("image: {}", image.display()));
        }
        let report = self.report().join("report.html");
        self.show.line(&format!("report: {}", report.display()));
        drop(scratch);
        let time = self.began.elapsed().as_secs_f64();
        self.show.line(&format!(
            "done in {time:.0} s; nothing is left mounted or running"
        ));
        Ok(())
    }

    /// A pmemfs that holds a real tree, before and after a second mount.
    fn fill(&self, arguments: &Arguments, scratch: &Scratch, strategy: &str) -> Result<()> {
        let mut image = Image::make(self.place, scratch, &arguments.size, self.log)?;
        let options = format!("relay={strategy},feeder=auto");
        self.stage("mounting", "the image", || {
            image.mount(&options)?;
            let feeder = image.status("feeder")?;
            Ok((
                (),
                format!("{} of pmemfs through {feeder}, -o {options}", arguments.size),
            ))
        })?;
        let list = self.stage("copying", "a tree", || fill::copy(self, &image))?;
        self.stage("mounting", "again", || {
            image.unmount()?;
            image.mount(&options)?;
            Ok(((), "unmounted and mounted again".into()))
        })?;
        self.stage("verifying", "every file", || fill::verify(self, &image, &list))?;
        self.stage("unmounting", "the image", || {
            image.unmount()?;
            Ok(((), String::new()))
        })
    }

    fn measure(&self, scratch: &Scratch) -> Result<perf::result::Results> {
        self.stage("measuring", "4 KiB operations through each feeder", || {
            let results = measure::run(self, scratch, &self.report())?;
            let text = format!(
                "{} rows, one for each way to be fed and to wait",
                results.rows.len()
            );
            Ok((results, text))
        })
    }

    /// Where the results and the report stay.
    fn report(&self) -> PathBuf {
        self.place.target.join("lab/demo/report")
    }

    /// Does one thing, showing what it is while it lasts and one line afterwards.
    fn stage<T>(&self, verb: &str, what: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        self.show.begin(&format!("{verb} {what}"));
        let begun = Instant::now();
        let (value, said) = work().with_context(|| format!("{verb} {what}"))?;
        let said = if said.is_empty() { what } else { &said };
        self.show.line(&format!(
            "{:>7.1} s  {verb:<11} {said}",
            begun.elapsed().as_secs_f64()
        ));
        Ok(value)
    }
}
