// SPDX-License-Identifier: MIT
//! `lab vm`: a virtual machine of our own, because most machines cannot load modules.
//!
//! Stock Debian kernels and tools are fetched once into `target/vm`; after that a guest
//! is up in seconds, runs one command as root, and is gone.
//!
//! - `place`: where things stand
//! - `apt`, `tree`, `tools`, `kernel`: Debian's packages, unpacked
//! - `image`, `cpio`, `module`, `job`: the guest's disks, zuf.ko, the command
//! - `accel`, `boot`, `console`, `run`: the machine, what it says, what is concluded from it
//! - `guest`: the guest's first program; `suite`: what the module promises, checked there

mod accel;
mod apt;
mod boot;
mod console;
mod cpio;
mod guest;
mod image;
mod job;
mod kernel;
mod module;
mod place;
mod run;
mod suite;
mod tools;
mod tree;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

pub use guest::run as guest;
pub use kernel::Kernel;
pub use suite::run as suite;

/// Runs a command as root in a virtual machine, with zuf.ko loaded and the project's binaries in the path.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The guest's kernel.
    #[arg(long, value_enum, default_value = "6.12")]
    pub kernel: Kernel,
    /// The guest's processors.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// The guest's NUMA nodes, each with its share of processors and memory.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub numa: u32,
    /// Count instructions: the guest's clock advances one nanosecond with each. One thread emulates all processors.
    #[arg(long)]
    pub icount: bool,
    /// Seconds after which the guest is ended and the run has failed.
    #[arg(long, default_value_t = 600)]
    pub timeout: u64,
    /// Do not build and load zuf.ko.
    #[arg(long)]
    pub no_module: bool,
    /// Show the kernel's messages and how long the boot took.
    #[arg(long, short)]
    pub verbose: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Does what `args` say; the command's exit status is ours, and 125 stands for a guest that failed.
pub fn vm(args: &Args) -> Result<ExitCode> {
    const GUEST_FAILED: u8 = 125;
    let place = place::Place::find();
    let apt = apt::Apt::open(place.vm().join("apt"))?;
    let tools = tools::Tools::prepare(&place, &apt)?;
    let image = image::Image::prepare(&place, &apt, &tools, args.kernel)?;
    let module = if args.no_module {
        None
    } else {
        Some(module::build(&place, &tools, &image.release)?)
    };
    // Only emulation can count instructions.
    let kvm = !args.icount && accel::kvm_works(&place, &tools, &image)?;
    let machine = boot::Machine {
        cpus: args.cpus,
        numa: args.numa,
        icount: args.icount,
        kvm,
        verbose: args.verbose,
    };
    let limits = (Duration::from_secs(args.timeout), args.verbose);
    let verdict = run::run(
        &place,
        &tools,
        &image,
        &machine,
        module.as_deref(),
        &args.command,
        limits,
    )?;
    if let (true, Some(boot)) = (args.verbose, verdict.boot) {
        eprintln!("vm: {} was up after {:.1} s", image.release, boot.as_secs_f64());
    }
    match verdict.result {
        Ok(exit) if !verdict.splat => Ok(ExitCode::from(exit)),
        Ok(exit) => {
            eprintln!(
                "{}\nvm: the command ended with {exit}, but the kernel complained",
                verdict.last_words
            );
            Ok(ExitCode::from(GUEST_FAILED))
        }
        Err(failure) => {
            eprintln!("{}\nvm: {failure}", verdict.last_words);
            Ok(ExitCode::from(GUEST_FAILED))
        }
    }
}
