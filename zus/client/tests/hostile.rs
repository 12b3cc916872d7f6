// SPDX-License-Identifier: MIT
//! A client that keeps no rule hurts only itself: beside it, another one works on, and nothing of it stays.

mod common;

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Server, WATCHDOG, wait_for};
use relay::{Bell, Policy, SharedMemory, Slots, Strategy, WaitError};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};
use zus_protocol::shm::{self, Geometry, Hello, Layout};
use zus_protocol::{InHeader, InitIn, InitOut, MAJOR, MINOR, Opcode, OutHeader};

/// A client with nothing between it and the memory.
struct Raw {
    socket: OwnedFd,
    memory: Arc<SharedMemory>,
    bells: Vec<OwnedFd>,
    layout: Layout,
}

fn knock(server: &Server) -> OwnedFd {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(server.socket()).unwrap()).unwrap();
    socket
}

fn greeting() -> Vec<u8> {
    let header = InHeader {
        len: (size_of::<InHeader>() + size_of::<InitIn>()) as u32,
        opcode: Opcode::Init as u32,
        ..InHeader::new_zeroed()
    };
    let init = InitIn {
        major: MAJOR,
        minor: MINOR,
        ..InitIn::new_zeroed()
    };
    let hello = Hello {
        magic: shm::MAGIC,
        version: shm::VERSION,
        features: u64::MAX,
        slots_per_cpu: 2,
        reserved: [7; 3],
    };
    [header.as_bytes(), init.as_bytes(), hello.as_bytes()].concat()
}

impl Raw {
    fn connect(server: &Server) -> Self {
        let socket = knock(server);
        rustix::net::send(&socket, &greeting(), SendFlags::NOSIGNAL).unwrap();
        let mut packet = vec![0; shm::PACKET_MAX];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(shm::BELLS_MAX + 1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut packet)];
        rustix::net::recvmsg(&socket, &mut parts, &mut ancillary, RecvFlags::empty()).unwrap();
        let mut fds = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten();
        let memory = fds.next().expect("the memory");
        let bells = fds.collect();
        let start = size_of::<OutHeader>() + size_of::<InitOut>();
        let (geometry, _) = Geometry::read_from_prefix(&packet[start..]).unwrap();
        assert_eq!(geometry.features, 0, "features that nobody knows were turned on");
        let layout = Layout::new(geometry.slots, geometry.window_len).unwrap();
        let memory = SharedMemory::from_fd(memory, layout.memory_len()).unwrap();
        Self {
            socket,
            memory: Arc::new(memory),
            bells,
            layout,
        }
    }

    fn ring(&self) {
        for bell in &self.bells {
            let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
        }
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        self.memory
            .window(0..self.memory.len())
            .unwrap()
            .write(offset, bytes);
    }

    /// An end that keeps the rules of the relay, for messages that keep no others.
    fn end(&self, slot: usize) -> relay::Client {
        let slots = Slots::in_memory(Arc::clone(&self.memory), 0, self.layout.slots() as usize).unwrap();
        let policy = Arc::new(Policy::new(Strategy::Park, Duration::ZERO));
        let bell = Bell::eventfd(self.bells[slot / 2].try_clone().unwrap()).unwrap();
        relay::Client::new(slots.get(slot).unwrap(), policy, bell, Bell::futex())
    }

    fn wait_until_thrown_out(&self) {
        let start = Instant::now();
        let mut packet = [0; 64];
        loop {
            match rustix::net::recv(&self.socket, &mut packet, RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => return,
                _ => assert!(start.elapsed() < WATCHDOG, "it was not thrown out"),
            }
            self.ring();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.roll() as u8).collect()
    }

    /// A number of the kind that breaks things.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => i64::MAX as u64,
            4 => 1 << self.below(64),
            5 => (1 << self.below(64)) - 1,
            6 => self.roll() % 4096,
            _ => self.roll(),
        }
    }
}

/// Says so when an attack has ended, also by a failed check.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `attack` beside an honest client that checks all it reads. Both must come to their end.
fn beside_an_honest_client(attack: impl FnOnce(&Server)) {
    let server = Server::with(Strategy::Hybrid, Default::default());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let client = server.client();
            let file = client.create("honest", 0o600).unwrap();
            let mut rounds = 0u32;
            while !done.load(Ordering::Relaxed) || rounds < 100 {
                let data: Vec<u8> = (0..9000).map(|i| (i + rounds) as u8).collect();
                file.pwrite(&data, 5).unwrap();
                let mut back = vec![0; data.len()];
                assert_eq!(file.pread(&mut back, 5).unwrap(), data.len());
                assert!(back == data, "another client's data");
                assert_eq!(client.stat("honest").unwrap().size, 9005);
                rounds += 1;
            }
        });
        let ended = Ended(&done);
        attack(&server);
        drop(ended);
        honest.join().unwrap();
    });
    server.wait_until_idle();
}

#[test]
fn random_bytes_everywhere_hurt_nobody_else() {
    beside_an_honest_client(|server| {
        let mut dice = Dice(0x1234_5678_9abc_def1);
        for _ in 0..60 {
            let raw = Raw::connect(server);
            let slots_len = raw.layout.slots() as usize * shm::SLOT_LEN;
            for _ in 0..20 {
                let len = dice.below(200) + 1;
                let offset = match dice.below(4) {
                    0 => raw.layout.window(0).start + dice.below(8192),
                    _ => dice.below(slots_len - len),
                };
                raw.write(offset, &dice.bytes(len));
                raw.ring();
            }
        }
    });
}

#[test]
fn every_word_that_no_rule_allows_ends_with_the_door() {
    beside_an_honest_client(|server| {
        // FULL(2) without a FULL(1), too long, contents that are none, ABANDONED of nothing, announced.
        let words = [
            0x0002_0801u32,
            0x0001_7901,
            0x0001_0805,
            0x0007_0002,
            0x0001_081f,
            0xffff_ff9f,
        ];
        for word in words {
            let raw = Raw::connect(server);
            raw.write(0, &word.to_ne_bytes());
            raw.wait_until_thrown_out();
        }
        // The server's own word.
        let raw = Raw::connect(server);
        let mut end = raw.end(0);
        raw.write(128, &0x1234_5601u32.to_ne_bytes());
        let _ = end.call(&[0; 40], Some(Instant::now() + Duration::from_millis(50)));
        drop(raw);
    });
}

#[test]
fn messages_that_keep_no_rule_are_answered_with_errors() {
    beside_an_honest_client(|server| {
        let mut dice = Dice(0xfeed_f00d_dead_beef);
        let raw = Raw::connect(server);
        let mut end = raw.end(0);
        let window = raw.layout.window(0);
        let mut succeeded = 0;
        for round in 0..4000 {
            let mut body = Vec::new();
            for _ in 0..dice.below(12) {
                body.extend(dice.number().to_ne_bytes());
            }
            if dice.below(3) == 0 {
                body.extend(b"honest\0");
            }
            body.truncate(80);
            let whole = (size_of::<InHeader>() + body.len()) as u32;
            let header = InHeader {
                len: if dice.below(3) == 0 {
                    dice.number() as u32
                } else {
                    whole
                },
                opcode: match dice.below(10) {
                    0 => dice.number() as u32,
                    _ => Opcode::ALL[dice.below(Opcode::ALL.len())] as u32,
                },
                unique: round,
                nodeid: if dice.below(3) == 0 { dice.number() } else { 1 },
                uid: 0,
                gid: 0,
                pid: dice.roll() as u32,
                total_extlen: dice.roll() as u16,
                padding: dice.roll() as u16,
            };
            let message = [header.as_bytes(), &body].concat();
            let cut = if dice.below(10) == 0 {
                dice.below(message.len() + 1)
            } else {
                message.len()
            };
            raw.write(window.start, &dice.bytes(300));
            let answer = end
                .call(&message[..cut], Some(Instant::now() + WATCHDOG))
                .unwrap();
            if let Ok((answer, _)) = OutHeader::read_from_prefix(&answer) {
                assert!((-4095..=0).contains(&answer.error), "error {}", answer.error);
                succeeded += u32::from(answer.error == 0);
            }
        }
        assert!(succeeded > 10, "nothing got through: {succeeded}");
    });
}

#[test]
fn inodes_and_handles_of_others_are_out_of_reach() {
    let server = Server::start();
    let honest = server.client();
    honest.mkdir("private", 0o700).unwrap();
    let file = honest.create("private/secret", 0o666).unwrap();
    file.pwrite(b"secret", 0).unwrap();
    let ino = file.stat().unwrap().ino;
    let raw = Raw::connect(&server);
    let mut end = raw.end(0);
    let mut ask = |opcode: Opcode, nodeid: u64, body: &[u8]| {
        let header = InHeader {
            len: (size_of::<InHeader>() + body.len()) as u32,
            opcode: opcode as u32,
            nodeid,
            ..InHeader::new_zeroed()
        };
        let answer = end.call(&[header.as_bytes(), body].concat(), None).unwrap();
        OutHeader::read_from_prefix(&answer).unwrap().0.error
    };
    // It has not found the inode on any path: it may not even look at it.
    assert_eq!(ask(Opcode::Getattr, ino, &[0; 16]), -libc::ESTALE);
    assert_eq!(ask(Opcode::Open, ino, &[0; 8]), -libc::ESTALE);
    for fh in 0..300u64 {
        for generation in 0..4u64 {
            let mut read = (generation << 32 | fh).to_ne_bytes().to_vec();
            read.extend([0; 8]);
            read.extend(6u32.to_ne_bytes());
            read.extend([0; 20]);
            assert_eq!(ask(Opcode::Read, ino, &read), -libc::EBADF);
        }
    }
    // Nor can it give away what others hold.
    ask_forget(&raw, ino);
    honest.unlink("private/secret").unwrap();
    let mut back = [0; 6];
    file.pread(&mut back, 0).unwrap();
    assert_eq!(&back, b"secret");
}

fn ask_forget(raw: &Raw, nodeid: u64) {
    let header = InHeader {
        len: (size_of::<InHeader>() + 8) as u32,
        opcode: Opcode::Forget as u32,
        nodeid,
        ..InHeader::new_zeroed()
    };
    let message = [header.as_bytes(), &u64::MAX.to_ne_bytes()].concat();
    assert!(raw.end(1).call(&message, None).unwrap().is_empty());
}

#[test]
fn a_client_that_stops_in_the_middle_holds_nobody_up() {
    beside_an_honest_client(|server| {
        let raw = Raw::connect(server);
        for slot in 0..raw.layout.slots() as usize {
            let mut end = raw.end(slot);
            end.post(&[0; 120]).unwrap();
            // The answer is never taken, the end never closed.
            std::mem::forget(end);
        }
        std::thread::sleep(Duration::from_millis(20));
    });
}

#[test]
fn a_bell_that_never_stops_wakes_the_worker_for_its_owner_only() {
    beside_an_honest_client(|server| {
        let raw = Raw::connect(server);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            raw.ring();
        }
        for bell in &raw.bells {
            let _ = rustix::io::write(bell, &(u64::MAX - 1).to_ne_bytes());
            rustix::io::ioctl_fionbio(bell, false).unwrap();
        }
    });
}

#[test]
fn who_talks_out_of_turn_is_thrown_out() {
    let server = Server::start();
    let raw = Raw::connect(&server);
    wait_for("the welcome", || server.shm.clients() == 1);
    rustix::net::send(&raw.socket, b"hello again", SendFlags::NOSIGNAL).unwrap();
    raw.wait_until_thrown_out();
    let mut end = raw.end(0);
    let error = end.call(&[0; 40], Some(Instant::now() + WATCHDOG)).unwrap_err();
    assert!(matches!(error, WaitError::Closed | WaitError::Dead), "{error}");
    server.wait_until_idle();
}

#[test]
fn greetings_that_are_none_are_refused_and_cost_nothing() {
    beside_an_honest_client(|server| {
        let mut dice = Dice(0xabcd_ef01_2345_6789);
        for round in 0..200 {
            let mut packet = greeting();
            match round % 5 {
                0 => packet = dice.bytes(round),
                1 => packet.truncate(dice.below(packet.len())),
                2 => packet.extend(dice.bytes(2000)),
                3 => {
                    let at = dice.below(8);
                    packet[at] ^= 1 << dice.below(8);
                }
                _ => {
                    let hello = packet.len() - size_of::<Hello>();
                    packet[hello + dice.below(8)] ^= 1 << dice.below(8);
                }
            }
            let socket = knock(server);
            if packet.is_empty() || rustix::net::send(&socket, &packet, SendFlags::NOSIGNAL).is_err() {
                continue;
            }
            let mut answer = [0; 512];
            let (len, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
            let (header, reason) = OutHeader::read_from_prefix(&answer[..len]).unwrap();
            assert!(
                header.error < 0 && !reason.is_empty(),
                "round {round}: {header:?}"
            );
        }
        // The wrong kind of socket does not even connect.
        assert!(UnixStream::connect(server.socket()).is_err());
    });
}

#[test]
fn passed_descriptors_are_not_kept() {
    let server = Server::start();
    let (mut kept, given) = UnixStream::pair().unwrap();
    let socket = knock(&server);
    let fds = [given.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
    let packet = greeting();
    let parts = [std::io::IoSlice::new(&packet)];
    rustix::net::sendmsg(&socket, &parts, &mut ancillary, SendFlags::NOSIGNAL).unwrap();
    let mut answer = [0; 512];
    rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    drop(given);
    kept.write_all(b"?").unwrap_err();
    assert_eq!(
        kept.read(&mut [0]).unwrap(),
        0,
        "the server holds what was passed to it"
    );
}

#[test]
fn who_says_nothing_is_shown_out() {
    let server = Server::start();
    let before = Instant::now();
    let silent = knock(&server);
    // It could still greet, for seconds.
    let mut answer = [0; 512];
    assert!(rustix::net::recv(&silent, &mut answer, RecvFlags::DONTWAIT).is_err());
    let (len, _) = rustix::net::recv(&silent, &mut answer, RecvFlags::empty()).unwrap();
    assert_eq!(len, 0, "an answer to nothing");
    assert!(before.elapsed() > Duration::from_secs(1), "it was given no time");
    server.client().stat("/").unwrap();
}

#[test]
fn too_many_that_say_nothing_keep_nobody_out() {
    let server = Server::start();
    let silent: Vec<_> = (0..40).map(|_| knock(&server)).collect();
    // Those of one user are few before the rest is turned away: the door is not blocked for others, and this
    // user's next client comes in when the first of them has been shown out.
    wait_for("a place", || libzus::Client::connect(server.socket()).is_ok());
    drop(silent);
    server.client().stat("/").unwrap();
}
