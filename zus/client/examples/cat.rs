// SPDX-License-Identifier: MIT
//! Writes files of a mount to standard output, as cat(1) does: `cat MOUNT FILE...`. Without a file, it writes
//! standard input into the mount: `cat MOUNT -o FILE`.

use std::io::{self, Write};
use std::process::ExitCode;

use libzus::{Client, OpenOptions};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cat: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> io::Result<()> {
    let Some((mount, files)) = args.split_first().filter(|(_, files)| !files.is_empty()) else {
        return Err(io::Error::other("usage: cat MOUNT FILE... | cat MOUNT -o FILE"));
    };
    let client = Client::connect(mount)?;
    match files {
        [flag, file] if flag == "-o" => store(&client, file),
        files => files.iter().try_for_each(|file| show(&client, file)),
    }
}

fn show(client: &Client, path: &str) -> io::Result<()> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{path}: {e}"));
    let mut file = client.open(path, &OpenOptions::new().read(true)).map_err(named)?;
    io::copy(&mut file, &mut io::stdout().lock())?;
    io::stdout().flush()
}

fn store(client: &Client, path: &str) -> io::Result<()> {
    let mut file = client.create(path, 0o666)?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.fsync()?;
    file.close()
}
