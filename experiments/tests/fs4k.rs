// SPDX-License-Identifier: MIT
//! `fs4k` against the real server: every row that can be had here, and nothing left behind.
//!
//! Needs the `zus` command that the workspace builds; without it, and without root for the rows through
//! the kernel, these say what they skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use experiments::bench::Effort;
use experiments::experiment::{Experiment, Setting};
use experiments::progress::Progress;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perf::cpu::{Placement, seats};
use perf::pace::{Bounds, Pace};
use relay::Strategy;

/// For whatever must happen at some time on a busy machine.
const WATCHDOG: Duration = Duration::from_secs(60);

fn zus() -> Option<PathBuf> {
    let zus = Path::new(env!("CARGO_BIN_EXE_experiments")).with_file_name("zus");
    if zus.is_file() {
        return Some(zus);
    }
    eprintln!(
        "SKIPPED: there is no {}: cargo build -p zus makes it",
        zus.display()
    );
    None
}

#[test]
fn every_feeder_and_strategy_has_its_row() {
    let Some(zus) = zus() else { return };
    let tiny = Bounds {
        ops: 3,
        time: Duration::from_secs(10),
    };
    let warm_up = Bounds { ops: 1, ..tiny };
    let setting = Setting {
        effort: Effort {
            rounds: 1,
            each: tiny,
            warm_up,
            pace: Pace::Closed,
            quick: false,
        },
        image_dir: None,
        zus: Some(zus),
        progress: Progress::new("fs4k", true),
    };
    let results = Experiment::by_name("fs4k")
        .unwrap()
        .run(&setting)
        .unwrap()
        .results;
    let skipped = |feeder: &str| {
        let note = results
            .notes
            .iter()
            .find(|note| note.contains(&format!("through {feeder} skipped")));
        note.inspect(|note| eprintln!("SKIPPED: {note}")).is_some()
    };
    let placements = Placement::ALL
        .into_iter()
        .filter(|&placement| seats(placement).is_some());
    for placement in placements {
        for feeder in ["fuse", "shm"].into_iter().filter(|feeder| !skipped(feeder)) {
            for fs in ["nullfs", "pmemfs"] {
                for op in ["write", "read"] {
                    for strategy in Strategy::ALL {
                        let name = format!("{fs} {op} {feeder} {strategy} {placement}");
                        let row = results.row(&name).unwrap_or_else(|| panic!("no row {name}"));
                        assert_eq!(row.n, 3, "{name}");
                        assert!(row.cpu_ns_per_op.is_some(), "{name}");
                        assert!(row.futex_calls_per_op.is_some(), "{name}");
                    }
                }
            }
        }
    }
    assert!(results.targets.iter().all(|target| target.id == "M1"));
    assert!(!results.targets.is_empty());
    // Not a quick run: what a write costs that is one request through either is in it too.
    if !skipped("shm") {
        assert!(results.row("nullfs write-only shm park same").is_some());
    }
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let Some(zus) = zus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let inside = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let (scratch, images) = (inside("scratch"), inside("images"));
    let mut run = Command::new(env!("CARGO_BIN_EXE_experiments"))
        .args(["run", "fs4k", "--quiet", "--zus"])
        .arg(&zus)
        .arg("--image-dir")
        .arg(&images)
        .env("TMPDIR", &scratch)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Once it serves something, in the midst of it.
    let began = Instant::now();
    while servers(&scratch).is_empty() && began.elapsed() < WATCHDOG {
        sleep(Duration::from_millis(10));
    }
    assert!(!servers(&scratch).is_empty(), "it never served anything");
    kill(Pid::from_raw(run.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(servers(&scratch), [0; 0]);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(scratch.to_str().unwrap()), "{mounts}");
    for folder in [&scratch, &images] {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{}", folder.display());
    }
}

/// The processes that have a path below `scratch` on their command line.
fn servers(scratch: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let path = scratch.to_str().unwrap();
    let of_ours = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .split('\0')
            .any(|word| word.starts_with(path) && word != path)
    };
    pids.filter(of_ours).collect()
}
