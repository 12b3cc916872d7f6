// SPDX-License-Identifier: MIT
//! `zus status` tells what is, and `zus remount` changes it live.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::scene::{Scene, needs};

#[test]
fn nothing_mounted_is_an_empty_list() {
    let scene = Scene::new();
    assert_eq!(scene.status().len(), 0);
    assert!(scene.zus(&["status"]).ok().out.contains("nothing is mounted"));
}

#[test]
fn status_tells_how_a_mount_is() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    scene
        .zus(&["mount", "img", "mnt", "-o", "relay=hybrid,spin_us=7"])
        .ok();
    for n in 0..20 {
        fs::write(scene.path(&format!("mnt/{n}")), "x").unwrap();
    }
    fs::create_dir_all(scene.path("mnt/full/dir")).unwrap();
    fs::remove_dir(scene.path("mnt/full")).unwrap_err();
    let status = &scene.status()[0];
    assert_eq!(status["dir"], scene.mnt().to_str().unwrap());
    assert_eq!(status["image"], scene.path("img").to_str().unwrap());
    assert_eq!(status["fs"], "pmemfs");
    assert_eq!(status["feeder"], "fuse");
    assert_eq!(status["state"], "live");
    assert_eq!(status["strategy"], "hybrid");
    assert_eq!(status["window_ns"], 7_000);
    assert_eq!(status["read_only"], false);
    assert!(status["uptime_s"].as_f64().unwrap() >= 0.0);
    assert!(
        status["operations"]["WRITE"]["requests"].as_u64().unwrap() >= 20,
        "{status}"
    );
    assert_eq!(status["operations"]["RMDIR"]["errors"], 1, "{status}");
    let workers = status["workers"].as_array().unwrap();
    assert!(!workers.is_empty());
    let handoffs: u64 = workers
        .iter()
        .map(|worker| worker["handoffs"].as_u64().unwrap())
        .sum();
    assert!(handoffs >= 40, "{status}");

    let out = scene.zus(&["status"]).ok().out;
    assert!(
        out.contains("hybrid") && out.contains("live") && out.lines().count() == 2,
        "{out}"
    );
    let out = scene.zus(&["status", "mnt"]).ok().out;
    assert!(out.contains("WRITE") && out.contains("HANDOFFS"), "{out}");
}

#[test]
fn a_server_that_does_not_answer_is_silent() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    kill_process(pid, Signal::STOP).unwrap();
    assert_eq!(scene.status()[0]["state"], "silent");
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(scene.status()[0]["state"], "live");
}

#[test]
fn an_idle_mount_takes_less_than_32_mib_beside_the_image() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "1G");
    scene.zus(&["mount", "img", "mnt"]).ok();
    fs::write(scene.path("mnt/a"), "x").unwrap();
    let resident = scene.status()[0]["resident_bytes"].as_u64().unwrap();
    assert!((1 << 16..32 << 20).contains(&resident), "{resident} bytes");
}

#[test]
fn strategy_and_window_change_live() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    let write = |text: &str| fs::write(scene.path("mnt/a"), text).unwrap();
    for strategy in ["park", "waitqueue", "yield", "spin", "hybrid"] {
        scene
            .zus(&["remount", "mnt", "-o", &format!("relay={strategy}")])
            .ok();
        assert_eq!(scene.status()[0]["strategy"], strategy);
        write(strategy);
    }
    scene
        .zus(&["mount", "-o", "remount,relay=park,spin_us=3", "mnt"])
        .ok();
    scene
        .zus(&["mount", "img", "mnt", "-o", "remount,spin_us=4"])
        .ok();
    let status = &scene.status()[0];
    assert_eq!(
        (&status["strategy"], &status["window_ns"]),
        (&"park".into(), &4_000.into())
    );
    assert_eq!(scene.server(), pid);
    write("the end");
}

#[test]
fn a_mount_becomes_read_only_and_writable_again() {
    needs!(can_mount);
    let scene = Scene::mounted();
    fs::write(scene.path("mnt/a"), "x").unwrap();
    scene.zus(&["remount", "mnt", "-o", "ro"]).ok();
    assert_eq!(
        fs::write(scene.path("mnt/a"), "y").unwrap_err().raw_os_error(),
        Some(30)
    );
    assert_eq!(scene.status()[0]["read_only"], true);
    scene.zus(&["remount", "mnt", "-o", "rw,noatime"]).ok();
    fs::write(scene.path("mnt/a"), "z").unwrap();
    let file = fs::File::options()
        .append(true)
        .open(scene.path("mnt/a"))
        .unwrap();
    scene.zus(&["remount", "mnt", "-o", "ro"]).fails(&["mnt", "busy"]);
    assert_eq!(scene.status()[0]["read_only"], false);
    drop(file);
}

#[test]
fn what_is_wrong_changes_nothing() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let before = scene.status()[0]["strategy"].clone();
    scene
        .zus(&["remount", "mnt", "-o", "relay=park,frobnicate"])
        .fails(&["frobnicate"]);
    assert_eq!(scene.status()[0]["strategy"], before);
}
