// SPDX-License-Identifier: MIT
//! Whenever the server dies inside an operation, the operation has happened whole or not at all.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use zus::fs::pmemfs::Pmemfs;
use zus::fs::{FallocateMode, FileSystem, Kind, RenameMode};

use crate::operation::Operation::{self, *};
use crate::recorder::{Recorder, memory};
use crate::support::{Random, Tree, create, difference, find, make, mount, read, tree, unmount, write};

/// Does `setup` and then `operation` on a file system of `len` bytes, cuts the operation short everywhere, and
/// looks at what the next mount makes of it.
fn cut(len: u64, setup: &[Operation], operation: &Operation) {
    let what = format!("{operation:?}").chars().take(80).collect::<String>();
    let store = make(len);
    let recorder = Arc::new(Recorder::new(store));
    let fs = Pmemfs::mount(Box::new(recorder.clone()), Path::new("test"), false).unwrap();
    spoil(&fs);
    for operation in setup {
        operation.run(&fs).unwrap();
    }
    let before = tree(&fs);
    let base = recorder.start();
    operation.run(&fs).unwrap();
    let recording = recorder.stop(base);
    let after = tree(&fs);
    std::mem::forget(fs);

    let (mut seen, mut count) = (HashSet::new(), 0);
    // Of a long operation some states will do.
    let (mut chance, some) = (Random(1), (recording.len() / 150).max(1) as u64);
    recording.states(&mut Random(len), &mut |state, over| {
        if !over && (chance.below(some) > 0 || !seen.insert(crc32c::crc32c(state))) {
            return;
        }
        count += 1;
        let store = memory(state);
        let fs = mount(&store);
        let found = tree(&fs);
        let in_place = operation.is_in_place() && !over;
        let merged = if in_place {
            merge(&found, &before, &after)
        } else {
            found.clone()
        };
        let differs = difference(&merged, &after);
        if over {
            assert_eq!(
                differs, None,
                "{what}: state {count}, its last, is not that after it"
            );
        } else if let Some(differs) = differs {
            let old = difference(&merged, &before);
            assert_eq!(
                old, None,
                "{what}: state {count} is not that before it, nor after it: {differs}"
            );
        }
        // It goes on from there, and nothing shows that was never in a file.
        for (path, thing) in found.iter().filter(|(_, thing)| thing.kind == Kind::File) {
            Resize(path.clone(), thing.size + 6000).run(&fs).unwrap();
            let tail = read(&fs, find(&fs, path).unwrap(), thing.size, 9000).unwrap();
            assert_eq!(
                tail,
                vec![0; 6000],
                "{what}: state {count}: behind the end of {path}"
            );
        }
        create(&fs, "afterwards", Kind::Directory).unwrap();
        create(&fs, "afterwards/too", Kind::File).unwrap();
        assert_eq!(unmount(fs, &store).orphans, 0);
    });
    assert!(count > 5, "{what}: {count} states seen");
}

/// Fills what is free with what nobody must see again.
fn spoil(fs: &Pmemfs) {
    let junk = create(fs, "junk", Kind::File).unwrap();
    write(
        fs,
        junk,
        0,
        &vec![0xaa; fs.statfs().unwrap().blocks_free as usize * 4096],
    )
    .unwrap();
    assert!(fs.statfs().unwrap().blocks_free < 8);
    Unlink(path("junk")).run(fs).unwrap();
}

/// `found` with the contents of files as in `after` if each of their bytes is as in `before` or in `after`.
fn merge(found: &Tree, before: &Tree, after: &Tree) -> Tree {
    let mut merged = found.clone();
    for (path, thing) in &mut merged {
        let (Some(before), Some(after)) = (before.get(path), after.get(path)) else {
            continue;
        };
        let same =
            |i: usize, byte: &u8| before.contents.get(i) == Some(byte) || after.contents.get(i) == Some(byte);
        if thing.size == after.size && thing.contents.iter().enumerate().all(|(i, byte)| same(i, byte)) {
            thing.contents.clone_from(&after.contents);
        } else if thing.size == before.size
            && thing.contents.iter().enumerate().all(|(i, byte)| same(i, byte))
        {
            thing.contents.clone_from(&before.contents);
        }
    }
    merged
}

fn path(path: &str) -> String {
    path.into()
}

/// A small tree with something of everything.
fn setup() -> Vec<Operation> {
    vec![
        Create(path("d"), Kind::Directory),
        Create(path("d/sub"), Kind::Directory),
        Create(path("e"), Kind::Directory),
        Create(path("e/empty"), Kind::Directory),
        Create(path("d/f"), Kind::File),
        Write(path("d/f"), 0, vec![1; 9000]),
        Create(path("e/g"), Kind::File),
        Write(path("e/g"), 50_000, vec![2; 5000]),
        Link(path("e/g"), path("d/g2")),
        Create(path("d/link"), Kind::Symlink),
    ]
}

fn cut_each(operations: &[Operation]) {
    for operation in operations {
        cut(1 << 20, &setup(), operation);
    }
}

#[test]
fn making_and_removing_names() {
    let long = "n".repeat(255);
    cut_each(&[
        Create(path("d/new"), Kind::File),
        Create(path("new"), Kind::Directory),
        Create(path("e/new"), Kind::Symlink),
        Create(format!("d/{long}"), Kind::Fifo),
        Link(path("d/f"), path("e/f2")),
        Unlink(path("d/f")),
        Unlink(path("e/g")),
        Unlink(path("d/link")),
        Rmdir(path("e/empty")),
    ]);
}

#[test]
fn making_a_name_in_a_full_block() {
    let long = |i: usize| format!("d/{}{i}", "n".repeat(250));
    let mut full = setup();
    full.extend((0..14).map(|i| Create(long(i), Kind::File)));
    cut(1 << 20, &full, &Create(long(15), Kind::File));
    cut(1 << 20, &full, &Create(path("d/short"), Kind::Directory));
    cut(1 << 20, &full, &Unlink(long(7)));
}

#[test]
fn renaming() {
    use RenameMode::{Exchange, NoReplace, Replace};
    cut_each(&[
        Rename(path("d/f"), path("d/f3"), Replace),
        Rename(path("d/f"), path("e/f3"), NoReplace),
        Rename(path("d/f"), path("d/link"), Replace),
        Rename(path("d/f"), path("e/g"), Replace),
        Rename(path("d/f"), path("e/empty"), Exchange),
        Rename(path("d/sub"), path("e/empty"), Replace),
        Rename(path("d/sub"), path("moved"), Replace),
        Rename(path("e"), path("d/sub"), Replace),
        Rename(path("d/sub"), path("e/empty"), Exchange),
        Rename(path("d"), path("e"), Exchange),
    ]);
}

#[test]
fn writing() {
    cut_each(&[
        Write(path("d/f"), 9000, vec![3; 20_000]),
        Write(path("d/f"), 100, vec![3; 5000]),
        Write(path("d/f"), 8000, vec![3; 8000]),
        Write(path("d/f"), 30_000, vec![3; 10]),
        Write(path("e/g"), 10, vec![3; 70_000]),
        Write(path("e/g"), 3_000_000, vec![3; 10]),
    ]);
}

#[test]
fn resizing() {
    cut_each(&[
        Resize(path("d/f"), 0),
        Resize(path("d/f"), 5000),
        Resize(path("d/f"), 8999),
        Resize(path("d/f"), 40_000),
        Resize(path("e/g"), 4097),
        Own(path("d/f"), 5, 0o4711),
    ]);
}

#[test]
fn allocating() {
    use FallocateMode::{PunchHole, Reserve, Zero};
    cut_each(&[
        Allocate(path("d/f"), 0, 60_000, Reserve { keep_size: true }),
        Allocate(path("d/f"), 0, 60_000, Reserve { keep_size: false }),
        Allocate(path("d/f"), 10, 8500, PunchHole),
        Allocate(path("e/g"), 0, 1 << 30, PunchHole),
        Allocate(path("d/f"), 10, 8500, Zero { keep_size: true }),
        Allocate(path("d/f"), 4096, 8500, Zero { keep_size: false }),
    ]);
}

#[test]
fn freeing_what_takes_many_steps() {
    let mut scattered = vec![Create(path("f"), Kind::File), Create(path("other"), Kind::File)];
    for i in 0..1030 {
        scattered.push(Write(path("f"), i * 4096, vec![4; 4096]));
        scattered.push(Write(path("other"), i * 4096, vec![5]));
    }
    for operation in [Unlink(path("f")), Resize(path("f"), 5000)] {
        cut(12 << 20, &scattered, &operation);
    }
}
