// SPDX-License-Identifier: MIT
//! How mounts come and go.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use relay::Strategy;
use zus::feeder::fuse::{End, Fuse, FuseOptions, How, MountError, UnmountError};
use zus::fs::nullfs::Nullfs;

use crate::mounted::{Mounted, TempDir, at_work, can_mount, unmount_clean};

fn mounted() -> Option<Mounted> {
    Mounted::new(at_work(Nullfs::new(), Strategy::Park), &FuseOptions::default())
}

fn is_mounted(point: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().any(|line| line.contains(point.to_str().unwrap()))
}

#[test]
fn a_mount_ends_when_it_is_unmounted() {
    let Some(mut m) = mounted() else { return };
    let fuse = m.take();
    let point = fuse.point().to_owned();
    assert!(is_mounted(&point));
    unmount_clean(&fuse);
    assert!(!is_mounted(&point));
    let stopper = fuse.stopper();
    assert!(matches!(fuse.wait(), End::Unmounted));
    stopper.unmount(How::Clean).unwrap(); // it has ended already
}

#[test]
fn a_busy_mount_is_left_alone_or_taken_out_of_sight_or_cut_off() {
    let Some(mut m) = mounted() else { return };
    let mut file = File::create(m.path("f")).unwrap();
    let stopper = m.fuse().stopper();
    assert!(matches!(
        stopper.unmount(How::Clean),
        Err(UnmountError::Busy(point)) if point == stopper.point()
    ));
    stopper.unmount(How::Lazy).unwrap();
    assert!(!is_mounted(stopper.point()));
    file.write_all(b"still there").unwrap();
    drop(file);
    assert!(matches!(m.take().wait(), End::Unmounted));

    let Some(mut m) = mounted() else { return };
    let mut file = File::create(m.path("f")).unwrap();
    let stopper = m.fuse().stopper();
    stopper.unmount(How::Force).unwrap();
    assert!(!is_mounted(stopper.point()));
    assert!(matches!(m.take().wait(), End::Aborted));
    let error = file.write_all(b"gone").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
}

#[test]
fn dropping_leaves_no_mount_behind_even_if_it_is_used() {
    let Some(m) = mounted() else { return };
    let point = m.fuse().point().to_owned();
    let file = File::create(m.path("f")).unwrap();
    drop(m);
    assert!(!is_mounted(&point));
    drop(file);
}

#[test]
fn only_its_own_mount_is_ever_unmounted() {
    if !can_mount() {
        return;
    }
    let dir = TempDir::new();
    let mount = || {
        Fuse::mount(
            at_work(Nullfs::new(), Strategy::Park),
            dir.path(),
            &FuseOptions::default(),
        )
        .unwrap()
    };
    let first = mount();
    let stopper = first.stopper();
    stopper.unmount(How::Lazy).unwrap();
    let second = mount();
    stopper.unmount(How::Force).unwrap();
    drop(first);
    assert!(is_mounted(dir.path()));
    drop(second);
    assert!(!is_mounted(dir.path()));
}

#[test]
fn what_is_in_the_way_is_named() {
    let Some(m) = mounted() else { return };
    let dir = TempDir::new();
    let file = dir.path().join("file");
    File::create(&file).unwrap();
    let try_it = |point: &Path, options: &FuseOptions| match Fuse::mount(
        at_work(Nullfs::new(), Strategy::Park),
        point,
        options,
    ) {
        Ok(_) => panic!("{} was mounted on", point.display()),
        Err(error) => error,
    };
    let default = FuseOptions::default();
    for (point, words) in [
        (
            m.fuse().point(),
            "something is mounted here already (fuse.nullfs on zufs)",
        ),
        (&file, "not a directory"),
        (&dir.path().join("missing"), "no such directory"),
    ] {
        let message = try_it(point, &default).to_string();
        assert!(
            message.starts_with(point.to_str().unwrap()) && message.contains(words),
            "{message}"
        );
    }
    let no_cpu = FuseOptions {
        cpus: Some(vec![4000]),
        ..default
    };
    assert!(matches!(
        try_it(dir.path(), &no_cpu),
        MountError::NoCpu { cpu: 4000, .. }
    ));
    assert!(!is_mounted(dir.path()));
}
