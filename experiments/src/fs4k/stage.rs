// SPDX-License-Identifier: MIT
//! What the arms of the experiment stand on: servers that are mounted, and a file open on each. Built
//! once; what this machine does not allow (a feeder, a file system) is left out with a note.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use perf::cpu::{Placement, Seats, pin, seats};

use super::blocks::{Op, Walk, through_kernel, through_memory};
use super::mounted::{Feeder, Files, IDLE, Mounted, Open};
use super::scratch::{Scratch, image_parent};
use super::server::{Server, Wanted, make_image};
use crate::experiment::Setting;
use crate::interrupt::Interrupted;

/// Image size: the file, and room for the file system's own.
const IMAGE: &str = "64M";

/// The file systems that are measured.
pub const FILE_SYSTEMS: [&str; 2] = ["nullfs", "pmemfs"];

/// All that is mounted.
pub struct Stage {
    /// In the order of the table.
    pub mounted: Vec<Mounted>,
    /// A file in memory without any server, for scale; none if there is no such place.
    pub tmpfs: Option<File>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    _scratch: Vec<Scratch>,
}

impl Stage {
    /// Starts the servers and opens the files. `spin_us` is the window of those strategies that have one.
    ///
    /// # Errors
    ///
    /// No `zus` command, no room for images, an interrupt, or nothing at all that can be measured.
    pub fn build(setting: &Setting, spin_us: u128) -> anyhow::Result<Self> {
        let zus = zus(setting.zus.as_deref())?;
        let scratch = Scratch::new(&std::env::temp_dir())?;
        let images = Scratch::new(&setting.image_dir.clone().unwrap_or_else(image_parent))?;
        let mut stage = Self {
            mounted: Vec::new(),
            tmpfs: None,
            notes: Vec::new(),
            _scratch: Vec::new(),
        };
        for fs in FILE_SYSTEMS {
            for feeder in Feeder::ALL {
                for placement in Placement::ALL {
                    let Some(seats) = seats(placement) else { continue };
                    setting
                        .progress
                        .step(&format!("mounting {fs} through {}", feeder.name()));
                    let spec = Spec {
                        zus: &zus,
                        fs,
                        feeder,
                        placement,
                        seats,
                        spin_us,
                    };
                    match spec.mount(&scratch, &images) {
                        Ok(mounted) => stage.mounted.push(mounted),
                        Err(error) if error.is::<Interrupted>() => return Err(error),
                        Err(error) => {
                            let note = format!("{fs} through {} skipped: {error:#}", feeder.name());
                            if !stage.notes.contains(&note) {
                                stage.notes.push(note);
                            }
                        }
                    }
                }
            }
        }
        if stage.mounted.is_empty() {
            bail!("nothing could be mounted: {}", stage.notes.join("; "));
        }
        stage.tmpfs = through_kernel(&images.path().join("tmpfs"), Op::Write).ok();
        stage._scratch = vec![scratch, images];
        Ok(stage)
    }
}

struct Spec<'a> {
    zus: &'a Path,
    fs: &'static str,
    feeder: Feeder,
    placement: Placement,
    seats: Seats,
    spin_us: u128,
}

impl Spec<'_> {
    fn mount(&self, scratch: &Scratch, images: &Scratch) -> anyhow::Result<Mounted> {
        let name = format!("{}-{}-{}", self.fs, self.feeder.name(), self.placement);
        let image = (self.fs != "nullfs").then(|| images.path().join(format!("{name}.img")));
        if let Some(image) = &image {
            make_image(self.zus, image, IMAGE)?;
        }
        let wanted = Wanted {
            name,
            fs: self.fs,
            image,
            options: self.options(),
        };
        let server = Server::start(self.zus, scratch, &wanted)?;
        let open = self.open(&server)?;
        let Self {
            feeder,
            fs,
            placement,
            ..
        } = *self;
        Ok(Mounted {
            feeder,
            fs,
            placement,
            open,
            server,
        })
    }

    /// One worker, on the CPU that the placement says, whatever CPU the caller is on.
    fn options(&self) -> String {
        let (feeder, cpu, spin_us) = (self.feeder.name(), self.seats.answerer, self.spin_us);
        let seat = match self.feeder {
            Feeder::Fuse => format!("cpus={cpu},workers=1"),
            Feeder::Shm => format!("placement=pool:{cpu}"),
        };
        format!("feeder={feeder},relay={IDLE},spin_us={spin_us},{seat}")
    }

    fn open(&self, server: &Server) -> anyhow::Result<Open> {
        let _pinned = pin(self.seats.caller)?;
        let (keeps, mut walk) = (self.fs != "nullfs", Walk::new());
        match self.feeder {
            Feeder::Fuse => {
                let open = |op| through_kernel(&server.dir().join("blocks"), op);
                let files = Files {
                    synced: open(Op::Write)?,
                    plain: open(Op::WriteOnly)?,
                };
                walk.fill(&files.plain, keeps)?;
                Ok(Open::Kernel(files))
            }
            Feeder::Shm => {
                let socket = server.data().context("the server has no data socket")?;
                let client = libzus::Client::connect(socket)?;
                let open = |op| through_memory(&client, op);
                let files = Files {
                    synced: open(Op::Write)?,
                    plain: open(Op::WriteOnly)?,
                };
                walk.fill(&files.plain, keeps)?;
                Ok(Open::Memory(client, Box::new(files)))
            }
        }
    }
}

/// The `zus` command.
fn zus(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let (path, advice) = match named {
        Some(path) => (path.to_owned(), ""),
        None => {
            let own = std::env::current_exe()?;
            let advice =
                ": build it beside this command (cargo build --release -p zus), or name it with --zus";
            (own.with_file_name("zus"), advice)
        }
    };
    if !path.is_file() {
        bail!("no zus command at {}{advice}", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_zus_says_what_to_do() {
        let error = zus(Some(Path::new("/nowhere/zus"))).unwrap_err().to_string();
        assert_eq!(error, "no zus command at /nowhere/zus");
        if let Err(error) = zus(None) {
            assert!(error.to_string().contains("--zus"), "{error}");
        }
    }
}
