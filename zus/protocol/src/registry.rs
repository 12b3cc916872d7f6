// SPDX-License-Identifier: MIT
//! Which servers run on this machine: one small JSON file for each, in its user's runtime directory.
//!
//! Here stand the form of an entry and how one is found, for the `zus` command and for clients alike; only
//! the server itself writes its entry (and removes it when it ends in order). An entry whose server died
//! stays: [`Entry::alive`] tells, by process id and start time, so that a reused id deceives nobody.
//!
//! A reader may be root and the writer any user, so an entry is data from outside: bounded, a regular
//! file that belongs to the directory's owner, and never more than a claim.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

mod path;

/// The version of an entry's form. Entries of other versions are passed over.
pub const FORMAT: u32 = 1;

/// The longest entry that is read, in bytes.
const MAX_ENTRY: u64 = 64 << 10;

/// One server, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`FORMAT`].
    pub format: u32,
    /// The server's process id.
    pub pid: u32,
    /// When that process started, in clock ticks since boot; as field 22 of `/proc/PID/stat`.
    pub started: u64,
    /// The user whom it runs as.
    pub uid: u32,
    /// When it began to serve, in seconds since 1970.
    pub since: u64,
    /// The mount point, absolute and without symbolic links.
    #[serde(with = "path")]
    pub dir: PathBuf,
    /// The image, likewise; none if the file system keeps nothing.
    #[serde(with = "path::optional", default)]
    pub image: Option<PathBuf>,
    /// The file system's type.
    pub fs: String,
    /// The feeder.
    pub feeder: String,
    /// The Unix socket on which it takes commands: beside the entry, under the same name with `.sock`.
    #[serde(with = "path")]
    pub control: PathBuf,
    /// The Unix socket on which clients in shared memory connect, if the feeder is that: likewise, `.data`.
    #[serde(with = "path::optional", default)]
    pub data: Option<PathBuf>,
    /// Whether it was unmounted while in use: no longer at `dir`, serving its last users.
    #[serde(default)]
    pub detached: bool,
}

impl Entry {
    /// Whether the server that wrote this still runs.
    pub fn alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// The entry in the file `path`.
    ///
    /// # Errors
    /// As opening and reading; `InvalidData` if it is none, of another version, or not its owner's.
    pub fn read(path: &Path) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
        // NOFOLLOW and NONBLOCK: a user could have put a link or a pipe there.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > MAX_ENTRY {
            return Err(invalid("no registry entry"));
        }
        let mut text = String::new();
        file.take(MAX_ENTRY).read_to_string(&mut text)?;
        let mut entry: Self = serde_json::from_str(&text)?;
        if entry.format != FORMAT {
            return Err(invalid("a registry entry of another version"));
        }
        if entry.uid != meta.uid() {
            return Err(invalid("a registry entry that is not its owner's"));
        }
        // Whatever it says: so that its writer cannot have root send words to somebody else's socket.
        entry.control = path.with_extension("sock");
        entry.data = entry.data.map(|_| path.with_extension("data"));
        Ok(entry)
    }
}

/// When the process `pid` started, in clock ticks since boot; `None` if there is none, or only its
/// remains.
pub fn start_time(pid: u32) -> Option<u64> {
    let mut stat = Vec::new();
    File::open(format!("/proc/{pid}/stat"))
        .ok()?
        .read_to_end(&mut stat)
        .ok()?;
    parse_stat(&stat)
}

/// The start time in a `/proc/PID/stat`. The command's name, in brackets, may hold anything, brackets and
/// spaces too: fields count from the last bracket, behind which the third one, the state, comes.
fn parse_stat(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(22 - 4)?.parse().ok()
}

/// Where the servers of the user who asks keep their entries. `ZUS_RUNTIME_DIR` overrides it.
pub fn runtime_dir() -> PathBuf {
    if let Some(dir) = env_dir("ZUS_RUNTIME_DIR") {
        return dir;
    }
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        return PathBuf::from(ROOT_DIR);
    }
    match env_dir("XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("zus"),
        None => PathBuf::from(format!("/tmp/zus-{}", uid.as_raw())),
    }
}

const ROOT_DIR: &str = "/run/zus";

fn env_dir(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}

/// All runtime directories that the user who asks has a right to look into: its own; root's; for root,
/// those of all users.
fn runtime_dirs() -> Vec<PathBuf> {
    let mut dirs = vec![runtime_dir()];
    if env_dir("ZUS_RUNTIME_DIR").is_some() {
        return dirs;
    }
    if !rustix::process::geteuid().is_root() {
        dirs.push(PathBuf::from(ROOT_DIR));
        return dirs;
    }
    let below = |parent: &str| fs::read_dir(parent).into_iter().flatten().flatten();
    dirs.extend(below("/run/user").map(|user| user.path().join("zus")));
    dirs.extend(
        below("/tmp")
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("zus-"))
            .map(|e| e.path()),
    );
    dirs
}

/// The entries of all servers that the user who asks may see, dead ones too. Files that are no entries
/// are passed over.
pub fn list() -> Vec<Entry> {
    let mut entries: Vec<Entry> = runtime_dirs()
        .iter()
        .flat_map(|dir| list_in(dir))
        .map(|(_, entry)| entry)
        .collect();
    entries.sort_by(|a, b| (&a.dir, a.since, a.pid).cmp(&(&b.dir, b.since, b.pid)));
    entries
}

/// The entries in one runtime directory, each with its file.
pub fn list_in(dir: &Path) -> Vec<(PathBuf, Entry)> {
    let files = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path());
    let entries = files.filter(|path| path.extension().is_some_and(|ext| ext == "json"));
    entries
        .filter_map(|path| Entry::read(&path).ok().map(|entry| (path, entry)))
        .collect()
}

/// The server that serves `dir` (absolute, without symbolic links): a living one if there is one, else one
/// that died. Where several users claim it, one's own server goes before root's, and that before others'.
pub fn find(dir: &Path) -> Option<Entry> {
    let me = rustix::process::geteuid().as_raw();
    let rank = |entry: &Entry| (entry.alive(), entry.uid == me, entry.uid == 0, entry.since);
    list()
        .into_iter()
        .filter(|entry| entry.dir == dir && !entry.detached)
        .max_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            format: FORMAT,
            pid: std::process::id(),
            started: start_time(std::process::id()).unwrap(),
            uid: rustix::process::geteuid().as_raw(),
            since: 1_700_000_000,
            dir: "/mnt/a".into(),
            image: Some(path::from_bytes(b"/images/\xff\n".to_vec())),
            fs: "pmemfs".into(),
            feeder: "shm".into(),
            control: "/run/zus/1.sock".into(),
            data: None,
            detached: false,
        }
    }

    fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written_whatever_bytes_its_paths_have() {
        let dir = tempfile::tempdir().unwrap();
        let written = Entry {
            control: dir.path().join("1.sock"),
            ..entry()
        };
        let path = write(dir.path(), "1.json", &serde_json::to_string(&written).unwrap());
        assert_eq!(Entry::read(&path).unwrap(), written);
    }

    #[test]
    fn sockets_are_beside_the_entry_whatever_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let written = Entry {
            control: "/run/another.sock".into(),
            data: Some("/run/yet/another.sock".into()),
            ..entry()
        };
        let path = write(dir.path(), "7.json", &serde_json::to_string(&written).unwrap());
        let read = Entry::read(&path).unwrap();
        assert_eq!(read.control, dir.path().join("7.sock"));
        assert_eq!(read.data, Some(dir.path().join("7.data")));
    }

    #[test]
    fn what_is_no_entry_is_an_error_and_is_passed_over_in_a_list() {
        let dir = tempfile::tempdir().unwrap();
        let other = |change: fn(&mut Entry)| {
            let mut entry = entry();
            change(&mut entry);
            serde_json::to_string(&entry).unwrap()
        };
        let huge = " ".repeat(MAX_ENTRY as usize + 1);
        let bad = [
            write(dir.path(), "empty.json", ""),
            write(
                dir.path(),
                "torn.json",
                &serde_json::to_string(&entry()).unwrap()[..40],
            ),
            write(
                dir.path(),
                "version.json",
                &other(|entry| entry.format = FORMAT + 1),
            ),
            write(dir.path(), "owner.json", &other(|entry| entry.uid += 1)),
            write(dir.path(), "huge.json", &huge),
        ];
        let link = dir.path().join("link.json");
        std::os::unix::fs::symlink(write(dir.path(), "target", &other(|_| ())), &link).unwrap();
        for path in bad.iter().chain([&link]) {
            assert!(Entry::read(path).is_err(), "{}", path.display());
        }
        assert_eq!(list_in(dir.path()), []);
        write(dir.path(), "good.json", &other(|_| ()));
        assert_eq!(list_in(dir.path()).len(), 1);
    }

    #[test]
    fn a_process_that_ended_or_whose_id_was_reused_is_not_alive() {
        assert!(entry().alive());
        let reused = Entry {
            started: entry().started - 1,
            ..entry()
        };
        assert!(!reused.alive());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let started = start_time(child.id());
        child.wait().unwrap();
        let ended = Entry {
            pid: child.id(),
            started: started.unwrap_or(1),
            ..entry()
        };
        assert!(!ended.alive());
    }

    #[test]
    fn a_process_name_full_of_brackets_does_not_move_the_fields() {
        let fields: Vec<String> = (3..=52)
            .map(|n| if n == 3 { "S".into() } else { n.to_string() })
            .collect();
        let stat = format!("42 (a) R (b ) {}\n", fields.join(" "));
        assert_eq!(parse_stat(stat.as_bytes()), Some(22));
        assert_eq!(parse_stat(stat.replace(" S ", " Z ").as_bytes()), None);
        assert_eq!(parse_stat(b"42 (short) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }
}
