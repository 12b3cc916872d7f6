// SPDX-License-Identifier: MIT
//! What people do in a file system: archives, copies, clones, builds; each looked at again after a second
//! mount.

use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use crate::place::cargo;
use crate::tree::{self, difference};
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// Runs `work` in a fresh mount and `again` in a second mount of the same image.
fn twice(
    bench: &Bench,
    size: &str,
    work: impl FnOnce(&Path) -> Result<()>,
    again: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut image = Image::make(bench.place, bench.scratch, size, &bench.log)?;
    image.mount("")?;
    work(image.point())?;
    image.unmount()?;
    image.check()?;
    image.mount("")?;
    again(image.point())?;
    image.unmount()?;
    image.check()
}

/// What the tree at `dir` holds.
pub fn list(bench: &Bench, dir: &Path) -> Result<String> {
    let manifest = bench.dir().join("manifest");
    tree::job("list", [dir, &manifest])?.run(&bench.log)?;
    Ok(std::fs::read_to_string(&manifest)?)
}

/// An error that shows where the tree at `dir` differs from a list.
pub fn same(bench: &Bench, expected: &str, dir: &Path) -> Result<()> {
    match difference(expected, &list(bench, dir)?) {
        None => Ok(()),
        Some(told) => bail!("the tree differs:\n{told}"),
    }
}

/// tar in, tar out.
pub fn tar(bench: &Bench) -> Result<String> {
    let source = bench.dir().join("source");
    tree::job("plant", [&source])?.run(&bench.log)?;
    let expected = list(bench, &source)?;
    let tar = |from: &Path, archive: &Path, to: &Path| -> Result<()> {
        // The older formats keep whole seconds only.
        let make = ["--create", "--sparse", "--format=posix", "--file"];
        Job::new("tar")
            .args(make)
            .arg(archive)
            .arg("-C")
            .arg(from)
            .arg(".")
            .run(&bench.log)?;
        std::fs::create_dir(to)?;
        let take = [
            "--extract",
            "--same-permissions",
            "--same-owner",
            "--numeric-owner",
            "--file",
        ];
        Job::new("tar")
            .args(take)
            .arg(archive)
            .arg("-C")
            .arg(to)
            .run(&bench.log)
    };
    let back = bench.dir().join("back");
    twice(
        bench,
        "256M",
        |point| {
            tar(&source, &point.join("archive.tar"), &point.join("tree"))?;
            same(bench, &expected, &point.join("tree"))
        },
        |point| {
            same(bench, &expected, &point.join("tree"))?;
            tar(&point.join("tree"), &point.join("again.tar"), &back)?;
            same(bench, &expected, &back)
        },
    )?;
    Ok(format!("{} entries", expected.lines().count()))
}

/// rsync in, rsync out, and rsync's own comparison by checksum.
pub fn rsync(bench: &Bench) -> Result<String> {
    let source = bench.dir().join("source");
    tree::job("plant", [&source])?.run(&bench.log)?;
    let expected = list(bench, &source)?;
    // By itself it takes times within one second for equal.
    let rsync = |more: &[&str], from: &Path, to: &Path| {
        let from = format!("{}/", from.display());
        let job = Job::new("rsync")
            .args([
                "--archive",
                "--hard-links",
                "--sparse",
                "--numeric-ids",
                "--modify-window=-1",
            ])
            .args(more);
        job.arg(from).arg(to).text(&bench.log)
    };
    let back = bench.dir().join("back");
    twice(
        bench,
        "256M",
        |point| {
            rsync(&[], &source, &point.join("tree"))?;
            same(bench, &expected, &point.join("tree"))
        },
        |point| {
            let told = rsync(
                &["--checksum", "--dry-run", "--itemize-changes"],
                &source,
                &point.join("tree"),
            )?;
            ensure!(told.trim().is_empty(), "rsync sees changes:\n{told}");
            rsync(&[], &point.join("tree"), &back)?;
            same(bench, &expected, &back)
        },
    )?;
    Ok(format!("{} entries", expected.lines().count()))
}

/// A repository made on the spot is cloned, committed to, packed and checked in the mount.
pub fn git(bench: &Bench) -> Result<String> {
    let home = bench.dir().join("home");
    std::fs::create_dir(&home)?;
    let git = |dir: &Path, args: &[&str]| {
        // Nobody's configuration but this.
        let job = Job::new("git")
            .env("HOME", &home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .dir(dir);
        let who = [
            "-c",
            "user.name=lab",
            "-c",
            "user.email=lab@localhost",
            "-c",
            "safe.directory=*",
        ];
        job.args(who).args(args).text(&bench.log)
    };
    let origin = bench.dir().join("origin");
    std::fs::create_dir(&origin)?;
    git(&origin, &["init", "--quiet", "--initial-branch=main"])?;
    tree::job("plant", [&origin.join("tree")])?.run(&bench.log)?;
    git(&origin, &["add", "--all"])?;
    git(&origin, &["commit", "--quiet", "--message=plant"])?;
    let commit = git(&origin, &["rev-parse", "HEAD"])?;

    let sound = |clone: &Path| -> Result<()> {
        git(clone, &["fsck", "--full", "--strict"])?;
        let told = git(clone, &["status", "--porcelain"])?;
        ensure!(told.is_empty(), "the clone is not clean:\n{told}");
        Ok(())
    };
    twice(
        bench,
        "256M",
        |point| {
            let clone = point.join("clone");
            // Without hard links, which another file system could not share.
            let args = [
                "clone",
                "--quiet",
                "--no-hardlinks",
                "--no-local",
                &origin.to_string_lossy(),
                "clone",
            ];
            git(point, &args)?;
            sound(&clone)?;
            std::fs::rename(clone.join("tree/sizes"), clone.join("tree/renamed"))?;
            git(&clone, &["add", "--all"])?;
            git(&clone, &["commit", "--quiet", "--message=rename"])?;
            git(&clone, &["gc", "--quiet", "--prune=now"])?;
            sound(&clone)
        },
        |point| {
            let clone = point.join("clone");
            sound(&clone)?;
            ensure!(
                git(&clone, &["rev-parse", "HEAD~1"])? == commit,
                "the history differs"
            );
            git(&clone, &["checkout", "--quiet", commit.trim()])?;
            sound(&clone)
        },
    )?;
    Ok(String::new())
}

/// A crate without dependencies is built, run, and found fresh after the second mount.
pub fn cargo_build(bench: &Bench) -> Result<String> {
    let build = |dir: &Path| {
        let job = Job::new(cargo())
            .dir(dir)
            .env("CARGO_TARGET_DIR", dir.join("target"));
        job.args(["build", "--offline", "--verbose"])
            .limit(300)
            .run(&bench.log)
    };
    let run = |dir: &Path| -> Result<()> {
        let told = Job::new(dir.join("target/debug/greeting")).text(&bench.log)?;
        ensure!(told == "2 + 2 = 4\n", "the program said: {told}");
        Ok(())
    };
    twice(
        bench,
        "512M",
        |point| {
            let dir = point.join("greeting");
            crate_at(&dir)?;
            build(&dir)?;
            run(&dir)?;
            let test = Job::new(cargo())
                .dir(&dir)
                .env("CARGO_TARGET_DIR", dir.join("target"));
            test.args(["test", "--offline"]).limit(300).run(&bench.log)
        },
        |point| {
            let dir = point.join("greeting");
            run(&dir)?;
            // One more line, one more build: what the first left must be usable.
            let main = dir.join("src/main.rs");
            let text = std::fs::read_to_string(&main)?;
            std::fs::write(&main, format!("{text}// changed\n"))?;
            build(&dir)?;
            run(&dir)
        },
    )?;
    Ok(String::new())
}

fn crate_at(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir.join("src"))?;
    std::fs::write(
        dir.join("Cargo.toml"),
        "[package]\nname = \"greeting\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n",
    )?;
    std::fs::write(
        dir.join("src/lib.rs"),
        "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\n#[test]\nfn adds() {\n    assert_eq!(add(2, 2), 4);\n}\n",
    )?;
    let main = "fn main() {\n    println!(\"2 + 2 = {}\", greeting::add(2, 2));\n}\n";
    Ok(std::fs::write(dir.join("src/main.rs"), main)?)
}
