// SPDX-License-Identifier: MIT
//! What applications do.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use relay::Strategy;
use zus::feeder::fuse::FuseOptions;
use zus::fs::nullfs::Nullfs;

use crate::mounted::{Mounted, at_work};

fn mounted(options: &FuseOptions) -> Option<Mounted> {
    Mounted::new(at_work(Nullfs::new(), Strategy::Park), options)
}

#[test]
fn files_and_directories_are_used_as_usual() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    let (f, g) = (m.path("f"), m.path("dir/g"));
    fs::write(&f, [1; 10_000]).unwrap();
    assert_eq!(fs::read(&f).unwrap().len(), 10_000);
    fs::create_dir(m.path("dir")).unwrap();
    fs::rename(&f, &g).unwrap();
    assert_eq!(fs::metadata(&f).unwrap_err().kind(), ErrorKind::NotFound);
    fs::hard_link(&g, &f).unwrap();
    assert_eq!(fs::metadata(&g).unwrap().nlink(), 2);
    symlink("dir/g", m.path("s")).unwrap();
    assert_eq!(fs::metadata(m.path("s")).unwrap().len(), 10_000);
    assert_eq!(
        fs::remove_dir(m.path("dir")).unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    OpenOptions::new()
        .write(true)
        .open(&g)
        .unwrap()
        .set_len(5)
        .unwrap();
    assert_eq!(fs::metadata(&f).unwrap().len(), 5);
    File::options().write(true).truncate(true).open(&g).unwrap();
    assert_eq!(fs::metadata(&f).unwrap().len(), 0);
    let mut appending = OpenOptions::new().append(true).open(&f).unwrap();
    for _ in 0..3 {
        appending.write_all(b"abc").unwrap();
    }
    assert_eq!(fs::metadata(&g).unwrap().len(), 9);
    assert_eq!(appending.stream_position().unwrap(), 9);

    let then = SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 123_456_789);
    appending.set_modified(then).unwrap();
    assert_eq!(fs::metadata(&f).unwrap().modified().unwrap(), then);
    assert!(fs::metadata(&f).unwrap().created().is_ok());
    fs::set_permissions(&f, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&f, Some(7), None).unwrap();
    let metadata = fs::metadata(&g).unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid()),
        (0o640, 7, 0)
    );
    appending.sync_all().unwrap();
}

#[test]
fn an_open_file_without_a_name_is_a_file() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(m.path("f"))
        .unwrap();
    fs::remove_file(m.path("f")).unwrap();
    file.write_all(&[1; 5000]).unwrap();
    file.seek(SeekFrom::Start(1000)).unwrap();
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 4000);
    assert_eq!(file.metadata().unwrap().nlink(), 0);
}

#[test]
fn a_large_directory_is_listed_whole_while_it_changes() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    let names: HashSet<String> = (0..2000).map(|n| format!("file {n}")).collect();
    for name in &names {
        File::create(m.path(name)).unwrap();
    }
    for round in 0..3 {
        let listed: Vec<String> = fs::read_dir(m.path("."))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("file"))
            .collect();
        assert_eq!(listed.len(), names.len(), "each once");
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), names);
        File::create(m.path(&format!("another {round}"))).unwrap();
    }
    // Removing what is being read.
    for entry in fs::read_dir(m.path(".")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(fs::read_dir(m.path(".")).unwrap().count(), 0);
}

/// A megabyte as O_DIRECT wants it: aligned to a page.
fn aligned(buffer: &mut Vec<u8>) -> &mut [u8] {
    const MEGABYTE: usize = 1 << 20;
    buffer.resize(MEGABYTE + 4096, 1);
    let start = buffer.as_ptr().align_offset(4096);
    &mut buffer[start..start + MEGABYTE]
}

#[test]
fn direct_and_large_transfers_work() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .custom_flags(libc::O_DIRECT | libc::O_SYNC)
        .open(m.path("f"))
        .unwrap();
    let mut buffer = Vec::new();
    let data = aligned(&mut buffer);
    file.write_all_at(data, 0).unwrap();
    file.write_all_at(&data[..4096], 8192).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 1 << 20);
    file.read_exact_at(data, 0).unwrap();
    assert!(data.iter().all(|&byte| byte == 0));
    let counts = m.fuse().served().counters().snapshot();
    let writes = counts.iter().find(|count| count.operation == "WRITE").unwrap();
    assert_eq!(writes.requests, 2, "a megabyte is one request");
}

/// Runs a shell command as an ordinary user; whether it worked.
fn as_user(command: &str, m: &Mounted) -> bool {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(m.path("."))
        .uid(1000)
        .gid(1000);
    shell.stderr(std::process::Stdio::null());
    shell.status().expect("a shell").success()
}

#[test]
fn the_kernel_checks_permissions() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    assert!(!as_user("echo > f", &m), "the root belongs to root");
    fs::set_permissions(m.path("."), Permissions::from_mode(0o1777)).unwrap();
    assert!(as_user("umask 027; echo > f", &m));
    let metadata = fs::metadata(m.path("f")).unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid()),
        (0o640, 1000, 1000)
    );
    fs::write(m.path("secret"), "").unwrap();
    fs::set_permissions(m.path("secret"), Permissions::from_mode(0o600)).unwrap();
    assert!(!as_user("cat secret", &m));
    assert!(!as_user("rm -f secret", &m), "sticky");
    assert!(as_user("rm f", &m));
}

#[test]
fn set_id_bits_do_not_survive_a_stranger() {
    let Some(m) = mounted(&FuseOptions::default()) else {
        return;
    };
    let mode = |name: &str| fs::metadata(m.path(name)).unwrap().mode() & 0o7777;
    for (name, command, left) in [
        ("written", "echo x >> written", 0o777),
        ("truncated", ": > truncated", 0o777),
        ("read", "cat read", 0o6777),
    ] {
        fs::write(m.path(name), "x").unwrap();
        fs::set_permissions(m.path(name), Permissions::from_mode(0o6777)).unwrap();
        assert_eq!(mode(name), 0o6777);
        assert!(as_user(command, &m), "{command}");
        assert_eq!(mode(name), left, "{command}");
    }
    // Root keeps them where it writes, and nobody where a file is given away.
    fs::write(m.path("read"), "y").unwrap();
    assert_eq!(mode("read"), 0o6777);
    std::os::unix::fs::chown(m.path("read"), Some(7), Some(7)).unwrap();
    assert_eq!(mode("read"), 0o777);
}

#[test]
fn the_mount_is_shown_as_it_was_asked_for() {
    let options = FuseOptions {
        source: "some image".into(),
        read_only: true,
        no_suid: true,
        no_atime: true,
        ..FuseOptions::default()
    };
    let Some(m) = mounted(&options) else { return };
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mine = mounts
        .lines()
        .find(|line| line.contains(m.fuse().point().to_str().unwrap()))
        .unwrap();
    let fields: Vec<&str> = mine.split(' ').collect();
    assert_eq!((fields[0], fields[2]), (r"some\040image", "fuse.nullfs"));
    for option in ["ro", "nosuid", "noatime"] {
        assert!(fields[3].split(',').any(|given| given == option), "{mine}");
    }
    let error = File::create(m.path("f")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EROFS));
}
