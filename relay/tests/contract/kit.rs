// SPDX-License-Identifier: MIT
//! Two sides set up in every way that a promise must hold in.

use relay::{Bell, Client, Policy, Server, SharedMemory, SlotRef, Slots, Strategy, cpu};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Once};
use std::time::Duration;

/// Bytes of shared memory in a setup: the slot, and a window at [`WINDOW`].
pub const MEMORY: usize = 8192;
/// Where the window starts.
pub const WINDOW: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Peer {
    Thread,
    Process,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Placement {
    Same,
    Cross,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bells {
    Futex,
    Eventfd,
    BlockingEventfd,
}

/// One way in which two sides can be set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub strategy: Strategy,
    pub peer: Peer,
    pub placement: Placement,
    pub bells: Bells,
}

/// A promise as tests, one for each strategy.
macro_rules! promise {
    ($(#[$doc:meta])* fn $name:ident($setup:ident: &Setup) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;
            fn keep($setup: &$crate::kit::Setup) $body
            #[test]
            fn waitqueue() { $crate::kit::everywhere(relay::Strategy::Waitqueue, keep) }
            #[test]
            fn park() { $crate::kit::everywhere(relay::Strategy::Park, keep) }
            #[test]
            fn yield_once() { $crate::kit::everywhere(relay::Strategy::Yield, keep) }
            #[test]
            fn spin() { $crate::kit::everywhere(relay::Strategy::Spin, keep) }
            #[test]
            fn hybrid() { $crate::kit::everywhere(relay::Strategy::Hybrid, keep) }
        }
    };
}
pub(crate) use promise;

/// Says that something was not tested, past the test harness's capture.
pub fn skip(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Keeps `promise` in every setup of `strategy`.
pub fn everywhere(strategy: Strategy, promise: fn(&Setup)) {
    let mut placements = vec![Placement::Same];
    if cpu::allowed().len() > 1 {
        placements.push(Placement::Cross);
    } else {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| skip("there is one CPU, so nothing was tested across two"));
    }
    for placement in placements {
        for peer in [Peer::Thread, Peer::Process] {
            for bells in [Bells::Futex, Bells::Eventfd, Bells::BlockingEventfd] {
                let setup = Setup {
                    strategy,
                    peer,
                    placement,
                    bells,
                };
                watched(&format!("{setup:?}"), || promise(&setup));
            }
        }
    }
}

/// Runs `what`, and ends the process should that take two minutes.
pub fn watched(name: &str, what: impl FnOnce()) {
    let (done, watching) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if watching.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
                skip(&format!("HANGS: {name}"));
                std::process::abort();
            }
        });
        let _done = done;
        what();
    });
}

impl Setup {
    /// Operations that are quickly done: spinning with both sides on one CPU costs a slice a turn.
    pub fn operations(&self) -> u64 {
        match (self.strategy, self.placement) {
            (Strategy::Spin, Placement::Same) => 3,
            _ => 200,
        }
    }

    pub fn policy(&self) -> Arc<Policy> {
        Arc::new(Policy::new(self.strategy, Duration::from_micros(40)))
    }

    pub fn bells(&self) -> (Bell, Bell) {
        let bell = || match self.bells {
            Bells::Futex => Bell::futex(),
            Bells::Eventfd => Bell::new_eventfd().unwrap(),
            Bells::BlockingEventfd => Bell::new_blocking_eventfd().unwrap(),
        };
        (bell(), bell())
    }

    /// Runs `serve` as the other thread or process, and `drive` here; both in their places.
    pub fn run(
        &self,
        serve: impl FnOnce(Server, &SharedMemory) + Send,
        drive: impl FnOnce(Client, &SharedMemory) + Send,
    ) {
        let memory = Arc::new(SharedMemory::create("relay-contract", MEMORY).unwrap());
        let (policy, bells) = (self.policy(), self.bells());
        let cpus = cpu::allowed();
        let (here, there) = match self.placement {
            Placement::Same => (cpus[0], cpus[0]),
            Placement::Cross => (cpus[0], cpus[cpus.len() - 1]),
        };
        let slot = match self.peer {
            Peer::Thread => SlotRef::private(),
            Peer::Process => slot_in(&memory),
        };
        let client = Client::new(slot.clone(), policy.clone(), bells.0.clone(), bells.1.clone());
        let driving = |client| {
            cpu::pin(here).unwrap();
            drive(client, &memory);
        };
        std::thread::scope(|scope| match self.peer {
            Peer::Thread => {
                let server = Server::new(slot, policy, bells.0, bells.1);
                let serving = scope.spawn(|| {
                    cpu::pin(there).unwrap();
                    serve(server, &memory);
                });
                let driving = scope.spawn(move || driving(client));
                driving.join().unwrap();
                serving.join().unwrap();
            }
            Peer::Process => {
                let child = Child::fork(|| {
                    // A mapping of its own, as another program would have.
                    let fd = memory.fd().try_clone_to_owned().unwrap();
                    let memory = Arc::new(SharedMemory::from_fd(fd, MEMORY).unwrap());
                    let server = Server::new(slot_in(&memory), policy, bells.0, bells.1);
                    cpu::pin(there).unwrap();
                    serve(server, &memory);
                });
                scope.spawn(move || driving(client)).join().unwrap();
                assert_eq!(child.wait(), 0, "the other process failed");
            }
        });
    }
}

/// The slot at the start of `memory`.
pub fn slot_in(memory: &Arc<SharedMemory>) -> SlotRef {
    Slots::in_memory(memory.clone(), 0, 1).unwrap().get(0).unwrap()
}

static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// A process of this test.
pub struct Child(libc::pid_t);

impl Child {
    /// Runs `what` in a child, which then ends with status 0, or 1 if it panicked.
    pub fn fork(what: impl FnOnce()) -> Self {
        // Printing takes locks, and in a child nobody may be left to release them.
        static HUSH: Once = Once::new();
        HUSH.call_once(|| {
            let print = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if !IS_CHILD.load(Relaxed) {
                    print(info);
                }
            }));
        });
        // SAFETY: the child has this thread only. It takes no lock that another thread of the parent
        // may hold: glibc makes allocation safe in a forked child, panics there print nothing
        // (above), and it leaves by `_exit`, so nothing of the parent's is torn down twice.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            0 => {
                // SAFETY: asks the kernel to end this child with its parent; touches no memory.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
                IS_CHILD.store(true, Relaxed);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
                // SAFETY: ends the child here and now.
                unsafe { libc::_exit(result.is_err().into()) }
            }
            pid => Self(pid),
        }
    }

    /// Kills it.
    pub fn kill(&self) {
        // SAFETY: signals a child that was not reaped, so the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// Waits for its end; the exit status, or minus the signal.
    pub fn wait(self) -> i32 {
        let mut status = 0;
        // SAFETY: `status` is ours to be written.
        let pid = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(pid, self.0);
        if libc::WIFEXITED(status) {
            libc::WEXITSTATUS(status)
        } else {
            -libc::WTERMSIG(status)
        }
    }
}
