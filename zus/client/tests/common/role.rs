// SPDX-License-Identifier: MIT
//! Processes of their own, to be killed: a test program starts itself again, to run only its test `role`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "LIBZUS_TEST_ROLE";
const ARGUMENT: &str = "LIBZUS_TEST_ARGUMENT";

/// Such a process. Killed when dropped.
pub struct Role(Child, BufReader<ChildStdout>);

impl Role {
    /// The role of this process and its argument, if it was started to play one.
    pub fn mine() -> Option<(String, String)> {
        let role = std::env::var(ROLE).ok()?;
        Some((role, std::env::var(ARGUMENT).unwrap_or_default()))
    }

    pub fn start(role: &str, argument: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["role", "--exact", "--nocapture"])
            .env(ROLE, role)
            .env(ARGUMENT, argument)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self(child, out)
    }

    /// The rest of the next line that has `word` in it.
    pub fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let len = self.1.read_line(&mut line).unwrap();
            assert_ne!(len, 0, "it ended before it said {word:?}");
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
