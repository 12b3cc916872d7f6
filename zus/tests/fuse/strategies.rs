// SPDX-License-Identifier: MIT
//! Each strategy serves, and they can be changed while it serves.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use relay::Strategy;
use zus::feeder::fuse::{End, FuseOptions};
use zus::fs::nullfs::Nullfs;

use crate::mounted::{Mounted, at_work, unmount_clean};

/// Names and data, by a thread of its own.
fn use_it(m: &Mounted, thread: usize, rounds: usize) {
    let path = m.path(&format!("file {thread}"));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    for round in 0..rounds {
        file.write_all_at(&[1; 300], (round * 100) as u64).unwrap();
        let other = m.path(&format!("other {thread}"));
        fs::create_dir(&other).unwrap();
        fs::remove_dir(&other).unwrap();
    }
    file.sync_all().unwrap();
    assert_eq!(file.metadata().unwrap().len(), (rounds * 100 + 200) as u64);
}

#[test]
fn every_strategy_serves_several_users_and_ends() {
    for strategy in Strategy::ALL {
        for cpus in [None, Some(vec![relay::cpu::allowed()[0]])] {
            let options = FuseOptions {
                cpus,
                ..FuseOptions::default()
            };
            let Some(mut m) = Mounted::new(at_work(Nullfs::new(), strategy), &options) else {
                return;
            };
            thread::scope(|scope| {
                for thread in 0..3 {
                    let m = &m;
                    scope.spawn(move || use_it(m, thread, 30));
                }
            });
            let handoffs: u64 = m.fuse().stats().iter().map(|stats| stats.handoffs).sum();
            assert!(handoffs > 3 * 30 * 3, "{strategy}: {handoffs}");
            unmount_clean(m.fuse());
            assert!(matches!(m.take().wait(), End::Unmounted), "{strategy}");
        }
    }
}

#[test]
fn the_strategy_changes_while_it_serves() {
    let Some(m) = Mounted::new(at_work(Nullfs::new(), Strategy::Park), &FuseOptions::default()) else {
        return;
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let users: Vec<_> = (0..2)
            .map(|thread| {
                let m = &m;
                scope.spawn(move || use_it(m, thread, 400))
            })
            .collect();
        scope.spawn(|| {
            let policy = m.fuse().served().policy();
            for strategy in Strategy::ALL.iter().cycle() {
                policy.set_strategy(*strategy);
                thread::sleep(std::time::Duration::from_millis(2));
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for user in users {
            user.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    m.fuse().served().policy().set_strategy(Strategy::Hybrid);
    use_it(&m, 7, 10);
}

#[test]
fn an_idle_mount_sleeps() {
    for strategy in [
        Strategy::Park,
        Strategy::Waitqueue,
        Strategy::Yield,
        Strategy::Hybrid,
    ] {
        let Some(m) = Mounted::new(at_work(Nullfs::new(), strategy), &FuseOptions::default()) else {
            return;
        };
        use_it(&m, 0, 10);
        let polls = || -> u64 { m.fuse().stats().iter().map(|stats| stats.polls).sum() };
        // Whatever it does after the last request, it soon does nothing more.
        let mut before = polls();
        loop {
            thread::sleep(std::time::Duration::from_millis(20));
            let now = polls();
            if now == before {
                break;
            }
            before = now;
        }
    }
}
