// SPDX-License-Identifier: MIT
//! `zus mount` mounts what it should, and says why it does not mount the rest.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::scene::{Scene, as_nobody, needs, runs, wait_until};

#[test]
fn files_are_there_again_after_unmount_and_mount() {
    needs!(can_mount);
    let scene = Scene::mounted();
    fs::create_dir_all(scene.path("mnt/a/b")).unwrap();
    fs::write(scene.path("mnt/a/b/c"), vec![7; 300_000]).unwrap();
    symlink("b/c", scene.path("mnt/a/link")).unwrap();
    scene.zus(&["umount", "mnt"]).ok();
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(fs::read_dir(scene.mnt()).unwrap().count(), 0);
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::read(scene.path("mnt/a/link")).unwrap(), vec![7; 300_000]);
}

#[test]
fn a_mount_shows_its_type_source_and_options() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    scene
        .zus(&[
            "mount",
            "img",
            "mnt",
            "-o",
            "ro,nosuid,nodev,noexec,noatime,relay=park",
        ])
        .ok();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts
        .lines()
        .find(|line| line.contains(scene.mnt().to_str().unwrap()))
        .unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields[0], scene.path("img").to_str().unwrap());
    assert_eq!(fields[2], "fuse.pmemfs");
    for option in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
        assert!(
            fields[3].split(',').any(|has| has == option),
            "no {option} in {line}"
        );
    }
    let error = fs::write(scene.path("mnt/a"), "x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(30), "EROFS, not {error}");
}

#[test]
fn an_image_that_is_none_is_named() {
    needs!(can_mount);
    let scene = Scene::new();
    let mount = |image: &str| scene.zus(&["mount", image, "mnt"]);
    mount("missing").fails(&["missing", "no such image", "zus mkfs"]);
    mount("none").fails(&["needs an image"]);
    mount("mnt").fails(&["mnt"]);
    fs::write(scene.path("empty"), "").unwrap();
    mount("empty").fails(&["empty"]);
    fs::write(scene.path("letter"), "Dear Sir, ".repeat(100_000)).unwrap();
    mount("letter").fails(&["letter"]);
    fs::write(scene.path("zeroes"), vec![0; 1 << 20]).unwrap();
    mount("zeroes").fails(&["zeroes"]);
    symlink("nowhere", scene.path("dangling")).unwrap();
    mount("dangling").fails(&["dangling"]);
    Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap();
    mount("pipe").fails(&["pipe"]);
    mount("/dev/null").fails(&["/dev/null"]);
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(
        fs::read_to_string(scene.path("letter")).unwrap(),
        "Dear Sir, ".repeat(100_000)
    );
}

#[test]
fn a_truncated_image_is_named_and_left_as_it_is() {
    needs!(can_mount);
    let scene = Scene::new();
    let image = scene.image("img", "64M");
    for len in [63 << 20, 1 << 20, 4096, 100] {
        OpenOptions::new()
            .write(true)
            .open(&image)
            .unwrap()
            .set_len(len)
            .unwrap();
        scene.zus(&["mount", "img", "mnt"]).fails(&["img"]);
        assert_eq!(fs::metadata(&image).unwrap().len(), len);
    }
}

#[test]
fn an_image_of_another_version_is_named() {
    needs!(can_mount);
    let scene = Scene::new();
    let image = scene.image("img", "64M");
    let file = OpenOptions::new().read(true).write(true).open(&image).unwrap();
    let mut version = [0; 4];
    file.read_exact_at(&mut version, VERSION_AT).unwrap();
    file.write_all_at(&(u32::from_le_bytes(version) + 41).to_le_bytes(), VERSION_AT)
        .unwrap();
    scene.zus(&["mount", "img", "mnt"]).fails(&["img", "version"]);
}

/// Where the version stands in an image.
const VERSION_AT: u64 = 8;

#[test]
fn an_image_is_mounted_once_only() {
    needs!(can_mount);
    let scene = Scene::mounted();
    fs::create_dir(scene.path("other")).unwrap();
    let pid = scene.server().to_string();
    scene
        .zus(&["mount", "img", "other"])
        .fails(&["img", "already mounted", "mnt", &pid]);
    symlink("img", scene.path("alias")).unwrap();
    scene
        .zus(&["mount", "alias", "other"])
        .fails(&["img", "already mounted"]);
    // Another registry knows nothing of it: then the image itself does.
    let mut command = scene.command(&["mount", "img", "other"]);
    let output = command
        .env("ZUS_RUNTIME_DIR", scene.path("run2"))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && err.contains("img: already mounted"),
        "{err}"
    );
    fs::write(scene.path("mnt/a"), "still there").unwrap();
}

#[test]
fn two_that_race_for_one_image_or_directory_do_not_both_win() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    fs::create_dir(scene.path("other")).unwrap();
    let race = |first: &[&str], second: &[&str]| {
        let mut racers =
            [first, second].map(|args| scene.command(args).stderr(Stdio::null()).spawn().unwrap());
        let won = racers
            .iter_mut()
            .filter_map(|racer| racer.wait().unwrap().code())
            .filter(|code| *code == 0)
            .count();
        assert_eq!(won, 1, "{first:?} {second:?}");
        let dir = scene.status()[0]["dir"].as_str().unwrap().to_owned();
        scene.zus(&["umount", &dir]).ok();
    };
    race(&["mount", "img", "mnt"], &["mount", "img", "other"]);
    race(
        &["mount", "none", "mnt", "--fs", "nullfs"],
        &["mount", "none", "mnt", "--fs", "nullfs"],
    );
}

#[test]
fn a_mount_point_that_cannot_be_one_is_named() {
    needs!(can_mount);
    let scene = Scene::mounted();
    scene.image("img2", "64M");
    fs::write(scene.path("file"), "").unwrap();
    let mount = |dir: &str| scene.zus(&["mount", "img2", dir]);
    mount("missing").fails(&["missing", "no such directory"]);
    mount("file").fails(&["file", "not a directory"]);
    mount("file/x").fails(&["file/x"]);
    mount("mnt").fails(&["mnt", "busy", "img", &scene.server().to_string()]);
    mount("/proc").fails(&["/proc", "busy", "proc"]);
}

#[test]
fn a_directory_with_files_is_covered_and_comes_back() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    fs::write(scene.path("mnt/below"), "x").unwrap();
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert!(!scene.path("mnt/below").exists());
    scene.zus(&["umount", "mnt"]).ok();
    assert!(scene.path("mnt/below").exists());
}

#[test]
fn names_with_spaces_and_odd_bytes_work() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    needs!(can_mount);
    let scene = Scene::new();
    let (image, dir) = (
        OsStr::from_bytes(b"-o im\"g,\n\xff"),
        OsStr::from_bytes(b"m n\\t\xfe,x"),
    );
    fs::create_dir(scene.path("").join(dir)).unwrap();
    scene
        .zus(&["mkfs".as_ref(), "--size=64M".as_ref(), "--".as_ref(), image])
        .ok();
    scene.zus(&["mount".as_ref(), "--".as_ref(), image, dir]).ok();
    fs::write(scene.path("").join(dir).join("a"), "x").unwrap();
    assert_eq!(scene.status().len(), 1);
    scene.zus(&["status".as_ref(), "--".as_ref(), dir]).ok();
    scene.zus(&["umount".as_ref(), "--".as_ref(), dir]).ok();
    assert!(!scene.path("").join(dir).join("a").exists());
}

#[test]
fn without_dev_fuse_it_says_so_and_auto_takes_shared_memory() {
    needs!(is_root);
    let scene = Scene::new();
    scene.image("img", "64M");
    // A /dev with nothing in it, seen by this command alone.
    let without = |args: &str| {
        let script =
            format!("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec \"$ZUS\" {args}");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script])
            .current_dir(scene.path(""))
            .stdin(Stdio::null());
        command
            .env("ZUS", env!("CARGO_BIN_EXE_zus"))
            .env("ZUS_RUNTIME_DIR", scene.path("run"));
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, err) = without("mount img mnt");
    assert!(
        code == Some(1) && err.contains("/dev/fuse") && err.contains("feeder=shm"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");
    let (code, err) = without("mount img mnt -o feeder=auto");
    assert!(
        code == Some(0) && err.contains("/dev/fuse") && err.contains("shm"),
        "{err}"
    );
    assert_eq!(scene.status()[0]["feeder"], "shm");
    scene.zus(&["umount", "mnt"]).ok();
    assert_eq!(scene.status().len(), 0);
}

#[test]
fn without_permission_it_says_what_to_do() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    as_nobody(&scene, &["mount", "none", "mnt", "--fs", "nullfs"]).fails(&["root", "feeder=shm"]);
    as_nobody(&scene, &["mkfs", "mine", "--size", "64M"]).fails(&["mine", "denied"]);
    as_nobody(&scene, &["mount", "img", "mnt", "-o", "feeder=shm"]).fails(&["img", "denied"]);
    scene.zus(&["mount", "img", "mnt"]).ok();
    as_nobody(&scene, &["umount", "mnt"]).fails(&["mnt", "root"]);
    assert!(scene.is_mounted(&scene.mnt()));
}

#[test]
fn nullfs_needs_no_image() {
    needs!(can_mount);
    let scene = Scene::new();
    scene
        .zus(&["mount", "--fs", "nullfs", "img", "mnt"])
        .fails(&["nullfs", "none"]);
    scene.zus(&["mount", "--fs", "nullfs", "none", "mnt"]).ok();
    fs::write(scene.path("mnt/a"), "gone").unwrap();
    assert_eq!(fs::metadata(scene.path("mnt/a")).unwrap().len(), 4);
    scene.zus(&["umount", "mnt"]).ok();
}

#[test]
fn the_server_has_a_session_of_its_own_and_keeps_no_terminal_or_pipe() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    // `output` reads both pipes to their end: that it returns shows that the server holds neither.
    scene.zus(&["mount", "img", "mnt"]).ok();
    let pid = scene.server();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!(fields[3], pid.to_string(), "session");
    assert_eq!(fields[4], "0", "controlling terminal");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    kill_process(pid, Signal::HUP).unwrap();
    fs::write(scene.path("mnt/a"), "lives on").unwrap();
    assert!(runs(pid));
}

#[test]
fn in_the_foreground_it_serves_until_a_signal_and_logs_to_standard_error() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut command = scene.command(&["mount", "img", "mnt", "--foreground"]);
        let server = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("it is mounted", || scene.is_mounted(&scene.mnt()));
        fs::write(scene.path("mnt/a"), "x").unwrap();
        kill_process(Pid::from_child(&server), signal).unwrap();
        let output = server.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && log.contains("unmounted"), "{log}");
        assert!(!scene.is_mounted(&scene.mnt()));
        assert_eq!(scene.status().len(), 0);
    }
}

#[test]
fn an_interrupted_command_leaves_no_mount() {
    needs!(can_mount);
    let scene = Scene::new();
    let image = scene.image("img", "64M");
    // The server as the command starts it; the command that would listen to it is gone.
    let mut command = scene.command(&["mount", "--server"]);
    command
        .args([&image, &scene.mnt()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    drop(server.stdout.take());
    let output = server.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(scene.status().len(), 0);
    assert!(!scene.zus(&["check", "img"]).ok().out.contains("not end in order"));
}

#[test]
fn verbose_says_what_was_chosen() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    let err = scene
        .zus(&["mount", "-v", "img", "mnt", "-o", "feeder=auto,relay=park"])
        .ok()
        .err;
    assert!(err.contains("fuse") && err.contains("park"), "{err}");
}

#[test]
fn logs_go_where_they_should() {
    needs!(can_mount);
    let scene = Scene::mounted();
    scene.zus(&["umount", "mnt"]).ok();
    assert!(
        fs::read_to_string(scene.path("run/zus.log"))
            .unwrap()
            .contains("mounted")
    );
    scene.zus(&["mount", "img", "mnt", "--log", "own.log"]).ok();
    assert!(
        fs::read_to_string(scene.path("own.log"))
            .unwrap()
            .contains("mounted")
    );
    scene.zus(&["umount", "mnt"]).ok();
    scene
        .zus(&["mount", "img", "mnt", "--log", "missing/own.log"])
        .fails(&["missing/own.log"]);
}
