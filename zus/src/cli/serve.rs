// SPDX-License-Identifier: MIT
//! The server's life: from an image and a directory to the end of the mount, whoever ends it.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use relay::{Policy, Strategy, calibrate};
use zus_protocol::registry::{self, Entry};

use super::attend::{Event, Served, Way, attend};
use super::background::Announce;
use super::feeding::Chosen;
use super::image::Opened;
use super::live::Live;
use super::options::Options;
use super::{point, signals};
use crate::control::{self, Registration, Reply};

/// What is to be served, checked as far as can be without doing it.
pub struct Plan {
    /// The image; none if the file system has none.
    pub image: Option<PathBuf>,
    /// Where it is to appear.
    pub dir: PathBuf,
    /// The file system's name.
    pub fs: String,
    /// The mount options.
    pub options: Options,
    /// Whether to say what was chosen.
    pub verbose: bool,
    /// Where the registry is.
    pub runtime_dir: PathBuf,
}

/// Serves `plan` until the mount has ended.
///
/// # Errors
/// Why there is no mount; or why its end was no good one.
pub fn run(plan: &Plan, foreground: bool, announce: &mut dyn Announce) -> Result<()> {
    let (events, inbox) = mpsc::channel();
    // First, so that a signal from now on ends what is half begun in order.
    signals::watch(foreground, events.clone())?;
    let (feeder, note) = Chosen::new(plan.options.feeder)?;
    feeder.check(plan)?;
    note.iter().for_each(|note| announce.note(note));
    let policy = policy(&plan.options);
    if plan.verbose {
        let (strategy, window) = (policy.strategy(), policy.window());
        announce.note(&format!(
            "feeder {}, relay {strategy}, window {window:?}",
            feeder.name()
        ));
    }

    control::prune(&plan.runtime_dir, point::is_mounted);
    let opened = Opened::open(plan)?;
    let mut registration = register(plan, feeder)?;
    let served = Served::new(Live::start(plan, opened, policy, feeder, events.clone())?);
    let control = &registration.entry().control;
    control::listen(control, served.answerer(events)).with_context(|| control.display().to_string())?;

    announce.ready()?;
    let mut waiting = Vec::new();
    let end = match attend(&served, &inbox, &mut registration, &mut waiting) {
        Way::Ended => served.close(),
        Way::CutOff(result) => {
            // Its threads may hang: they end with the process.
            std::mem::forget(served);
            result
        }
    };
    let reply = match &end {
        Ok(()) => Reply::Done,
        Err(error) => Reply::Error(format!("unmounted, but: {error:#}")),
    };
    tracing::info!(point = %plan.dir.display(), "unmounted");
    // The end may have come before the word of who brought it about: whoever was at it has told by now.
    waiting.extend(inbox.try_iter().filter_map(Event::responder));
    waiting.into_iter().for_each(|responder| responder.send(&reply));
    end
}

/// How the relay waits, by the options or by what is best here.
fn policy(options: &Options) -> Policy {
    let strategy = options.relay.unwrap_or(Strategy::Hybrid);
    Policy::new(strategy, options.window.unwrap_or_else(calibrate::window))
}

/// Takes the directory, so that no other server does.
fn register(plan: &Plan, feeder: Chosen) -> Result<Registration> {
    let pid = std::process::id();
    let entry = Entry {
        format: registry::FORMAT,
        pid,
        started: registry::start_time(pid).context("/proc/self/stat")?,
        uid: rustix::process::geteuid().as_raw(),
        since: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
        dir: plan.dir.clone(),
        image: plan.image.clone(),
        fs: plan.fs.clone(),
        feeder: feeder.name().into(),
        control: plan.runtime_dir.join(format!("{pid}.sock")),
        data: feeder.data_socket(plan),
        detached: false,
    };
    Registration::new(&plan.runtime_dir, entry).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            anyhow!("{}: busy: something is being mounted there", plan.dir.display())
        }
        _ => anyhow!("{}: {error}", plan.runtime_dir.display()),
    })
}
