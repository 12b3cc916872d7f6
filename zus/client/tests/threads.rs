// SPDX-License-Identifier: MIT
//! Many threads, few slots, every strategy and placement.

mod common;

use common::{Server, wait_for};
use libzus::{Client, OpenOptions};
use relay::Strategy;
use zus::feeder::shm::{Placement, ShmOptions};

fn placed(placement: Placement) -> ShmOptions {
    ShmOptions {
        placement,
        ..ShmOptions::default()
    }
}

/// Writes to a file of its own, reads it back, makes and removes names, `rounds` times.
fn work(client: &Client, me: usize, rounds: usize) {
    let name = format!("file-{me}");
    let options = OpenOptions::new().read(true).write(true).create(true);
    let file = client.open(&name, &options).unwrap();
    for round in 0..rounds {
        let len = [1, 100, 4096, 20_000][round % 4];
        let data: Vec<u8> = (0..len).map(|i| (i ^ me ^ (round * 7)) as u8).collect();
        file.pwrite(&data, 64).unwrap();
        let mut back = vec![0; len];
        assert_eq!(file.pread(&mut back, 64).unwrap(), len);
        assert!(back == data, "thread {me}, round {round}: another's data");
        let other = format!("name-{me}-{round}-{}", "long".repeat(30));
        client.mkdir(&other, 0o700).unwrap();
        client.rmdir(&other).unwrap();
    }
    file.close().unwrap();
    client.unlink(&name).unwrap();
}

fn many(client: &Client, threads: usize, rounds: usize) {
    std::thread::scope(|scope| {
        for me in 0..threads {
            scope.spawn(move || work(client, me, rounds));
        }
    });
}

#[test]
fn every_strategy_and_placement_carries_the_same_operations() {
    for strategy in Strategy::ALL {
        for placement in [
            Placement::Same,
            Placement::Cross,
            Placement::Pool(vec![relay::cpu::allowed()[0]]),
        ] {
            let server = Server::with(strategy, placed(placement));
            // A spinner on a CPU that it shares gives way only when its time slice ends.
            let (threads, rounds) = if strategy == Strategy::Spin {
                (1, 4)
            } else {
                (3, 40)
            };
            many(&server.client(), threads, rounds);
            server.wait_until_idle();
        }
    }
}

#[test]
fn more_threads_than_slots_take_turns() {
    let server = Server::with(Strategy::Hybrid, placed(Placement::Same));
    let client = server.client_with(1);
    many(&client, 12, 60);
    let operations = client.stats().handoffs;
    assert!(operations > 12 * 60 * 4, "only {operations} operations");
    drop(client);
    server.wait_until_idle();
}

#[test]
fn many_clients_come_and_go_while_others_work() {
    let server = Server::with(Strategy::Hybrid, placed(Placement::Same));
    std::thread::scope(|scope| {
        let client = server.client();
        scope.spawn(move || many(&client, 2, 150));
        for me in 10..13 {
            let server = &server;
            scope.spawn(move || {
                for _ in 0..15 {
                    work(&server.client(), me, 2);
                }
            });
        }
    });
    server.wait_until_idle();
}

#[test]
fn a_strategy_is_changed_while_all_run() {
    let server = Server::with(Strategy::Park, placed(Placement::Same));
    let client = server.client();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for me in 0..2 {
            let (client, done) = (&client, &done);
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    work(client, me, 4);
                }
            });
        }
        for strategy in [
            Strategy::Yield,
            Strategy::Hybrid,
            Strategy::Waitqueue,
            Strategy::Park,
        ] {
            server
                .shm
                .set_strategy(strategy, std::time::Duration::from_micros(20));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // Clients follow: of all strategies, only this one rings whether somebody sleeps or not.
    server
        .shm
        .set_strategy(Strategy::Waitqueue, std::time::Duration::ZERO);
    wait_for("the client to follow", || {
        let before = client.stats();
        for _ in 0..10 {
            client.stat("/").unwrap();
        }
        let after = client.stats();
        (after.parks - before.parks, after.wakes - before.wakes) == (10, 10)
    });
}
