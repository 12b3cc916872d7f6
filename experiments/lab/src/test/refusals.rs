// SPDX-License-Identifier: MIT
//! Bad input: exit status 1, one line that names the thing, nothing lost.

use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use crate::scratch::is_mounted;
use anyhow::{Result, ensure};
use std::fs::{self, File};
use std::path::Path;

/// Tries what people get wrong.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "64M", &bench.log)?;
    image.mount("")?;
    fs::write(image.point().join("kept"), "still here")?;
    image.unmount()?;
    let mut tried = Tried { bench, count: 0 };
    tried.mount_points(&image)?;
    tried.options(&image)?;
    tried.busy(&mut image)?;
    tried.images(&image)?;
    tried.sizes(&image)?;
    image.check()?;
    image.mount("")?;
    ensure!(
        fs::read_to_string(image.point().join("kept"))? == "still here",
        "a file was lost"
    );
    image.unmount()?;
    Ok(format!("{} refused", tried.count))
}

struct Tried<'a> {
    bench: &'a Bench<'a>,
    count: u32,
}

impl Tried<'_> {
    /// Somewhere that nothing can be mounted.
    fn mount_points(&mut self, image: &Image) -> Result<()> {
        let (file, missing) = (
            self.bench.dir().join("a-file"),
            self.bench.dir().join("not-there"),
        );
        File::create(&file)?;
        self.refused(mount(image, image.path(), &missing), &["not-there"])?;
        self.refused(mount(image, image.path(), &file), &["a-file"])?;
        self.refused(mount(image, &missing, image.point()), &["not-there"])?;
        self.refused(image.zus().arg("umount").arg(image.point()), &["mnt"])?;
        self.refused(image.zus().arg("umount").arg(&missing), &["not-there"])
    }

    /// Words that mean nothing; the answer says which would.
    fn options(&mut self, image: &Image) -> Result<()> {
        let with = |options| mount(image, image.path(), image.point()).args(["-o", options]);
        self.refused(
            with("relay=teleport"),
            &[&["teleport"][..], &super::STRATEGIES].concat(),
        )?;
        self.refused(with("feeder=pigeon"), &["pigeon", "fuse", "shm"])?;
        self.refused(with("frobnicate"), &["frobnicate", "relay"])?;
        self.refused(
            image
                .zus()
                .args(["mount", "--fs", "ext5", "none"])
                .arg(image.point()),
            &["ext5", "pmemfs"],
        )
    }

    /// What is mounted already, also by a server that the command cannot know of.
    fn busy(&mut self, image: &mut Image) -> Result<()> {
        let (point, other) = (
            self.bench.dir().join("point"),
            self.bench.dir().join("other.pmemfs"),
        );
        fs::create_dir(&point)?;
        image
            .zus()
            .arg("mkfs")
            .arg(&other)
            .args(["--size", "64M"])
            .run(&self.bench.log)?;
        image.mount("")?;
        self.refused(mount(image, &other, image.point()), &["busy"])?;
        self.refused(mount(image, image.path(), &point), &[Image::NAME])?;
        let elsewhere = self.bench.dir().join("other-servers");
        self.refused(
            mount(image, image.path(), &point).env("ZUS_RUNTIME_DIR", elsewhere),
            &[Image::NAME],
        )?;
        ensure!(
            !is_mounted(&point),
            "an image that is in use was mounted a second time"
        );
        let within = image.point().join("open");
        let open = File::create(&within)?;
        self.refused(image.zus().arg("umount").arg(image.point()), &["busy"])?;
        drop(open);
        image.unmount()
    }

    /// Files that are no image, or no longer; each stays as it is.
    fn images(&mut self, image: &Image) -> Result<()> {
        let good = fs::read(image.path())?;
        let noise: Vec<u8> = (0..1u32 << 20)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let bad: [(&str, &[u8]); 4] = [
            ("empty", &[]),
            ("noise", &noise),
            ("zeros", &[0; 1 << 16]),
            ("truncated", &good[..good.len() / 2]),
        ];
        for (name, bytes) in bad {
            let path = self.bench.dir().join(name);
            fs::write(&path, bytes)?;
            self.refused(mount(image, &path, image.point()), &[name])?;
            ensure!(fs::read(&path)? == bytes, "{name}: refused, and changed");
        }
        self.refused(mount(image, self.bench.dir(), image.point()), &[])
    }

    /// Sizes that are none, and an image that is there already.
    fn sizes(&mut self, image: &Image) -> Result<()> {
        let path = self.bench.dir().join("small");
        for size in ["0", "10", "much", "-5G", "99999999999G"] {
            self.refused(
                image.zus().arg("mkfs").arg(&path).arg(format!("--size={size}")),
                &[],
            )?;
            ensure!(!path.exists(), "mkfs --size={size} was refused and left a file");
        }
        let before = fs::read(image.path())?;
        self.refused(
            image.zus().arg("mkfs").arg(image.path()).args(["--size", "64M"]),
            &[Image::NAME],
        )?;
        ensure!(
            fs::read(image.path())? == before,
            "mkfs changed an image that it refused to overwrite"
        );
        Ok(())
    }

    fn refused(&mut self, job: Job, names: &[&str]) -> Result<()> {
        let (status, told) = job.told(&self.bench.log)?;
        ensure!(
            status.code() == Some(1),
            "not exit status 1 but {status}, saying: {told}"
        );
        ensure!(told.lines().count() == 1, "not one line:\n{told}");
        for name in names {
            ensure!(told.contains(name), "does not name `{name}`: {told}");
        }
        self.count += 1;
        Ok(())
    }
}

fn mount(image: &Image, path: &Path, point: &Path) -> Job {
    image.zus().arg("mount").args([path, point])
}
