// SPDX-License-Identifier: MIT
//! Many threads at once: what each does alone comes out, whatever the others do, and nothing stands still.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zus::fs::{Error, FileSystem, Kind, ROOT, RenameMode};

use crate::operation::Operation;
use crate::support::{Random, create, find, list, make, mount, name, read, unmount, write};

const THREADS: u64 = 6;

#[test]
fn each_has_its_own_files_in_one_directory() {
    let store = make(64 << 20);
    let fs = mount(&store);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let fs = &fs;
            scope.spawn(move || {
                for round in 0..60u64 {
                    let path = format!("{thread}-{round}");
                    let file = create(fs, &path, Kind::File).unwrap();
                    let bytes = vec![thread as u8 + 1; 3000 + 300 * round as usize];
                    write(fs, file, round * 100, &bytes).unwrap();
                    assert_eq!(read(fs, file, round * 100, 100_000).unwrap(), bytes);
                    if round % 3 == 0 {
                        fs.unlink(ROOT, name(&path)).unwrap();
                    } else if round % 3 == 1 {
                        let new = format!("{path}-renamed");
                        fs.rename(ROOT, name(&path), ROOT, name(&new), RenameMode::NoReplace)
                            .unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(list(&fs, ROOT).len() as u64, THREADS * 40);
    unmount(fs, &store);
}

#[test]
fn writes_to_one_file_are_seen_whole() {
    let store = make(16 << 20);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    write(&fs, file, 0, &[1; 20_000]).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (fs, over) = (&fs, &over);
        for thread in 1..=3u8 {
            scope.spawn(move || {
                for _ in 0..300 {
                    write(fs, file, 0, &[thread; 20_000]).unwrap();
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let bytes = read(fs, file, 0, 20_000).unwrap();
                assert!(
                    bytes.iter().all(|byte| *byte == bytes[0]),
                    "a mixture of two writes"
                );
            }
        });
    });
    unmount(fs, &store);
}

/// Renames of directories all over the place, with everything else beside: no loops, no locks held for ever.
#[test]
fn a_tree_is_shaken() {
    let store = make(64 << 20);
    let fs = mount(&store);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let fs = &fs;
            scope.spawn(move || {
                let mut random = Random(thread);
                for _ in 0..1500 {
                    let result = Operation::random(&mut random).run(fs);
                    assert_ne!(result, Err(Error::Io), "thread {thread}");
                }
            });
        }
    });
    unmount(fs, &store);
}

#[test]
fn one_name_is_made_by_one() {
    let store = make(16 << 20);
    let fs = mount(&store);
    for round in 0..50 {
        let path = format!("round{round}");
        let made: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| usize::from(create(&fs, &path, Kind::File).is_ok())))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(made, 1, "{path}");
        let removed: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| usize::from(fs.unlink(ROOT, name(&path)).is_ok())))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(removed, 1, "{path}");
    }
    assert_eq!(find(&fs, "round1"), Err(Error::NotFound));
    unmount(fs, &store);
}

#[test]
fn a_full_medium_is_shared() {
    let store = make(2 << 20);
    let fs = mount(&store);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let fs = &fs;
            scope.spawn(move || {
                let mut random = Random(thread);
                for round in 0..40 {
                    let path = format!("{thread}-{}", round % 3);
                    match create(fs, &path, Kind::File) {
                        Ok(_) | Err(Error::Exists | Error::NoSpace) => {}
                        Err(error) => panic!("{error}"),
                    }
                    let Ok(file) = find(fs, &path) else { continue };
                    match write(fs, file, 0, &vec![1; random.below(300_000) as usize]) {
                        Ok(_) | Err(Error::NoSpace) => {}
                        Err(error) => panic!("{error}"),
                    }
                    if random.below(2) == 0 {
                        fs.unlink(ROOT, name(&path)).unwrap();
                    }
                }
            });
        }
    });
    unmount(fs, &store);
}
