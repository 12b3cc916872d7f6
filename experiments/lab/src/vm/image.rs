// SPDX-License-Identifier: MIT
//! What a guest boots: a kernel, the archive of its first root, and the disk of its second.
//!
//! Stock kernels have no disk driver and no file system built in, so the first root holds
//! those modules and the libraries that the guest's first program (this very binary) needs
//! until it has mounted the disk, which holds Debian's userland.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::apt::Apt;
use super::cpio::Cpio;
use super::kernel::Kernel;
use super::place::Place;
use super::tools::Tools;
use super::tree::Tree;

/// What the guest's programs come from.
const PACKAGES: &[&str] = &[
    "bash",
    "coreutils",
    "dash",
    "e2fsprogs",
    "findutils",
    "fuse3",
    "grep",
    "gzip",
    "kmod",
    "libc-bin",
    "mount",
    "procps",
    "sed",
    "strace",
    "tar",
    "util-linux",
    "xfsprogs",
];
/// What mounting the disk takes, beside what these depend on.
const MODULES: &[&str] = &["crc32c_generic", "virtio_blk", "ext4"];
/// Which of them a kernel may have built in.
const OPTIONAL: &str = "crc32c_generic";
/// What the guest's first program is linked to.
const LIBRARIES: &[&str] = &[
    "usr/lib64/ld-linux-x86-64.so.2",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
    "usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
    "usr/lib/x86_64-linux-gnu/libm.so.6",
];
/// The modules for the disk in the first root, to be loaded in the order of their names.
pub const DISK_MODULES: &str = "modules";
/// The disk's size. The file has holes: this much is never allocated.
const DISK_SIZE: &str = "2g";
/// Says how the image is made; to be raised when that changes.
const FORMAT: u32 = 5;

/// What a guest boots.
pub struct Image {
    /// The kernel's release.
    pub release: String,
    /// The bootable kernel.
    pub vmlinuz: PathBuf,
    /// The archive of the first root, without the job.
    pub initrd: PathBuf,
    /// The disk.
    pub disk: PathBuf,
}

impl Image {
    /// Makes it unless it is there.
    pub fn prepare(place: &Place, apt: &Apt, tools: &Tools, kernel: Kernel) -> Result<Self> {
        let release = kernel.release(apt)?;
        let tree = Tree::at(place.vm().join(format!("guest-{}", kernel.name())));
        let image = Self {
            vmlinuz: tree.root().join(kernel.vmlinuz(&release)),
            initrd: place.vm().join(format!("guest-{}.initrd", kernel.name())),
            disk: place.vm().join(format!("guest-{}.disk", kernel.name())),
            release,
        };
        let wanted = format!("{FORMAT}\n{}\n{PACKAGES:?}\n", image.release);
        if tree.holds(&wanted) && image.disk.exists() && image.initrd.exists() {
            return Ok(image);
        }
        eprintln!("vm: making the guest's disk for kernel {}", image.release);
        let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
        let mut debs = apt.fetch("trixie", &packages)?;
        debs.extend(apt.fetch_alone(kernel.suite(), &kernel.packages(&image.release))?);
        tree.unpack(&debs)?;
        ensure!(
            image.vmlinuz.exists(),
            "the packages brought no {}",
            image.vmlinuz.display()
        );
        for dir in ["dev", "proc", "sys", "tmp", "job", "mnt"] {
            fs::create_dir_all(tree.root().join(dir))?;
        }
        image.write_disk(place, tools, &tree)?;
        image.write_initrd(&tree)?;
        tree.finish(&wanted)?;
        Ok(image)
    }

    fn write_disk(&self, place: &Place, tools: &Tools, tree: &Tree) -> Result<()> {
        let root = place.inside(tree.root()).display().to_string();
        let disk = place.inside(&self.disk).display().to_string();
        tools.run(place, "depmod", &["-b", &root, &self.release])?;
        let _ = fs::remove_file(&self.disk);
        let options = "lazy_itable_init=1,root_owner=0:0";
        tools.run(
            place,
            "mke2fs",
            &[
                "-q",
                "-F",
                "-t",
                "ext4",
                "-O",
                "^has_journal",
                "-E",
                options,
                "-d",
                &root,
                &disk,
                DISK_SIZE,
            ],
        )
    }

    fn write_initrd(&self, tree: &Tree) -> Result<()> {
        let mut cpio = Cpio::new(BufWriter::new(File::create(&self.initrd)?));
        let dirs = [
            "dev",
            "proc",
            "disk",
            "usr",
            "usr/lib",
            "usr/lib/x86_64-linux-gnu",
            "job",
            "job/bin",
            DISK_MODULES,
        ];
        for dir in dirs.into_iter().chain(["lib64", "lib"]) {
            cpio.dir(dir)?;
        }
        for library in LIBRARIES {
            // Where the loader looks, whatever the links in the tree are.
            let name = if library.contains("ld-linux") {
                library.replace("usr/", "")
            } else {
                (*library).to_owned()
            };
            cpio.copy(&name, &tree.root().join(library))?;
        }
        let modules = tree.root().join("usr/lib/modules").join(&self.release);
        for (index, module) in with_dependencies(&modules)?.iter().enumerate() {
            let name = Path::new(module)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            cpio.copy(
                &format!("{DISK_MODULES}/{index:02}-{name}"),
                &modules.join(module),
            )?;
        }
        cpio.finish()?;
        Ok(())
    }
}

/// The files of `MODULES` and of what they depend on, each after what it needs.
fn with_dependencies(modules: &Path) -> Result<Vec<String>> {
    let table = fs::read_to_string(modules.join("modules.dep")).context("modules.dep")?;
    let mut files: Vec<String> = Vec::new();
    for module in MODULES {
        let file = format!("/{module}.ko.xz");
        let Some((path, needs)) = table
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(path, _)| path.ends_with(&file))
        else {
            ensure!(*module == OPTIONAL, "the kernel has no module {module}");
            continue;
        };
        // The table names the nearest need first: the farthest is to be loaded first.
        for path in needs.split_whitespace().rev().chain([path]) {
            if !files.iter().any(|known| known == path) {
                files.push(path.to_owned());
            }
        }
    }
    Ok(files)
}
