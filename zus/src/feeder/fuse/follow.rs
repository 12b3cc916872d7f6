// SPDX-License-Identifier: MIT
//! Being where the application is.
//!
//! A caller of FUSE sleeps in the kernel until it has its answer. On the caller's CPU a hand-off is then one
//! switch each way; from another CPU, even if the server spins, the caller must be woken there, often
//! out of an idle state, which takes several times as long. The kernel wakes a server without asking where
//! the caller is, and a request names only its thread. So the leader asks now and then where that thread
//! runs, and if it is twice on the same other CPU, passes the lead to a worker there.

use std::fs::File;
use std::io::Read;

/// Requests between two looks, as long as the application is elsewhere.
const OFTEN: u32 = 16;
/// As long as it stays here: a look costs some microseconds.
const SELDOM: u32 = 1024;

/// Where the application was when it was looked for.
#[derive(Debug)]
pub(super) struct Follow {
    /// The CPU of this worker.
    here: u32,
    /// Requests until the next look.
    wait: u32,
    /// The number that was.
    pause: u32,
    /// Where the application was then.
    seen: Option<u32>,
}

/// What a look showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// On this CPU.
    Here,
    /// On another one.
    Elsewhere(u32),
    /// On that one again: it is worth going there.
    Settled(u32),
}

impl Follow {
    pub(super) fn new(here: u32) -> Self {
        Self {
            here,
            wait: OFTEN,
            pause: OFTEN,
            seen: None,
        }
    }

    /// A request of the thread `pid` was served. Looks, if it is time to, where that thread runs.
    pub(super) fn served(&mut self, pid: u32) -> Option<Seen> {
        self.wait = self.wait.saturating_sub(1);
        if self.wait > 0 {
            return None;
        }
        self.look(cpu_of(pid))
    }

    fn look(&mut self, cpu: Option<u32>) -> Option<Seen> {
        let before = std::mem::replace(&mut self.seen, cpu);
        let seen = match cpu {
            Some(cpu) if cpu == self.here => Some(Seen::Here),
            Some(cpu) if before == Some(cpu) => Some(Seen::Settled(cpu)),
            Some(cpu) => Some(Seen::Elsewhere(cpu)),
            // Gone, or in another PID namespace.
            None => None,
        };
        self.pause = match seen {
            Some(Seen::Elsewhere(_)) => OFTEN,
            _ => (self.pause * 2).min(SELDOM),
        };
        self.wait = self.pause;
        seen
    }
}

/// The CPU that a thread runs on or ran on last: field 39 of /proc/PID/stat, see proc_pid_stat(5).
fn cpu_of(pid: u32) -> Option<u32> {
    let mut text = [0; 1024];
    let len = File::open(format!("/proc/{pid}/stat"))
        .ok()?
        .read(&mut text)
        .ok()?;
    parse(&text[..len])
}

fn parse(stat: &[u8]) -> Option<u32> {
    // The second field is a name in parentheses, which may hold anything.
    let behind_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[behind_name..]).ok()?;
    fields.split_ascii_whitespace().nth(39 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_found_where_it_is() {
        let stat = b"7 (a) b ) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40";
        assert_eq!(parse(stat), Some(39));
        assert_eq!(parse(b"7 (cut"), None);
        std::thread::spawn(|| {
            let cpu = relay::cpu::allowed()[0];
            relay::cpu::pin(cpu).unwrap();
            let me = rustix::thread::gettid().as_raw_nonzero().get() as u32;
            assert_eq!(cpu_of(me), Some(cpu));
        })
        .join()
        .unwrap();
        assert_eq!(cpu_of(0), None);
    }

    #[test]
    fn one_goes_where_an_application_is_twice() {
        let mut follow = Follow::new(0);
        assert_eq!(follow.look(Some(3)), Some(Seen::Elsewhere(3)));
        assert_eq!(follow.look(Some(2)), Some(Seen::Elsewhere(2)));
        assert_eq!(follow.look(Some(2)), Some(Seen::Settled(2)));
        assert_eq!(follow.look(Some(0)), Some(Seen::Here));
        assert_eq!(follow.look(None), None);
    }

    #[test]
    fn looks_become_rare_while_it_stays() {
        let mut follow = Follow::new(0);
        for _ in 0..20 {
            follow.look(Some(0));
        }
        assert_eq!(follow.wait, SELDOM);
        follow.look(Some(1));
        assert_eq!(follow.wait, OFTEN);
    }
}
