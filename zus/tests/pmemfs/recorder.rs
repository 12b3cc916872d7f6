// SPDX-License-Identifier: MIT
//! A medium that remembers how it got where it is, and can be cut short at every store and fence.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use relay::memory::Window;
use zus::store::{Error, Memory, Store};

use crate::support::Random;

/// What happened to the medium.
#[derive(Clone, Debug)]
enum Event {
    Store(u64, Vec<u8>),
    Flush(u64, u64),
    Fence,
}

/// Memory that writes down what is stored to it once [`start`](Recorder::start) was called. For one thread.
pub struct Recorder {
    memory: Arc<Memory>,
    events: Mutex<Option<Vec<Event>>>,
}

impl Recorder {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self {
            memory,
            events: Mutex::new(None),
        }
    }

    /// Begins to write down. Returns what the medium holds now.
    pub fn start(&self) -> Vec<u8> {
        *self.events.lock().unwrap() = Some(Vec::new());
        bytes(&self.memory)
    }

    /// Ends writing down.
    pub fn stop(&self, base: Vec<u8>) -> Recording {
        Recording {
            base,
            events: self.events.lock().unwrap().take().unwrap(),
        }
    }

    fn note(&self, event: Event) {
        if let Some(events) = &mut *self.events.lock().unwrap() {
            events.push(event);
        }
    }

    fn note_stored(&self, offset: u64, len: u64) {
        if self.events.lock().unwrap().is_some() {
            let mut bytes = vec![0; len as usize];
            self.memory.read(offset, &mut bytes);
            self.note(Event::Store(offset, bytes));
        }
    }
}

impl Store for Recorder {
    fn len(&self) -> u64 {
        self.memory.len()
    }
    fn load(&self, offset: u64) -> u64 {
        self.memory.load(offset)
    }
    fn read(&self, offset: u64, to: &mut [u8]) {
        self.memory.read(offset, to);
    }
    fn copy_to(&self, offset: u64, to: Window<'_>) {
        self.memory.copy_to(offset, to);
    }
    fn store(&self, offset: u64, word: u64) {
        self.memory.store(offset, word);
        self.note_stored(offset, 8);
    }
    fn change(&self, offset: u64, clear: u64, set: u64) {
        self.memory.change(offset, clear, set);
        self.note_stored(offset, 8);
    }
    fn write(&self, offset: u64, bytes: &[u8]) {
        self.memory.write(offset, bytes);
        self.note_stored(offset, bytes.len() as u64);
    }
    fn copy_from(&self, offset: u64, from: Window<'_>) {
        self.memory.copy_from(offset, from);
        self.note_stored(offset, from.len() as u64);
    }
    fn zero(&self, offset: u64, len: u64) {
        self.memory.zero(offset, len);
        self.note_stored(offset, len);
    }
    fn flush(&self, offset: u64, len: u64) {
        self.note(Event::Flush(offset, len));
    }
    fn fence(&self) {
        self.note(Event::Fence);
    }
    fn reserve(&self, _: u64, _: u64) -> Result<(), Error> {
        Ok(())
    }
    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// What happened from a point on.
pub struct Recording {
    base: Vec<u8>,
    events: Vec<Event>,
}

/// Words that were stored and are not known to be on the medium: line, then in order offset, word, flushed.
type InFlight = BTreeMap<u64, Vec<(u64, u64, bool)>>;

impl Recording {
    /// How many stores, flushes and fences there were.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// What the medium may hold if everything ends somewhere in the recording, and whether that is behind it:
    ///
    /// - at each store, all that was stored until then, and half of the last store (a process dies, its page
    ///   cache lives);
    /// - at each fence, what was flushed and fenced before and of each line nothing else, or any number of the
    ///   stores to it in their order (power fails under persistent memory).
    pub fn states(&self, random: &mut Random, each: &mut dyn FnMut(&[u8], bool)) {
        let mut stored = self.base.clone();
        let mut durable = self.base.clone();
        let mut in_flight = InFlight::new();
        each(&stored, false);
        for event in &self.events {
            match event {
                Event::Store(offset, bytes) => {
                    let half = bytes.len() / 2 / 8 * 8;
                    for (part, from) in [(0..half, *offset), (half..bytes.len(), offset + half as u64)] {
                        if !part.is_empty() {
                            put(&mut stored, from, &bytes[part]);
                            each(&stored, false);
                        }
                    }
                    launch(&mut in_flight, &stored, *offset, bytes.len() as u64);
                }
                Event::Flush(offset, len) => {
                    for (line, words) in in_flight.range_mut(offset / 64..(offset + len).div_ceil(64)) {
                        debug_assert!(line * 64 < offset + len);
                        words.iter_mut().for_each(|word| word.2 = true);
                    }
                }
                Event::Fence => {
                    for _ in 0..2 {
                        let mut some = durable.clone();
                        for words in in_flight.values() {
                            let count = random.below(words.len() as u64 + 1) as usize;
                            words[..count].iter().for_each(|word| put_word(&mut some, word));
                        }
                        each(&some, false);
                    }
                    in_flight.retain(|_, words| {
                        let landed = words.iter().take_while(|word| word.2).count();
                        words
                            .drain(..landed)
                            .for_each(|word| put_word(&mut durable, &word));
                        !words.is_empty()
                    });
                    each(&durable, false);
                }
            }
        }
        // What returned has happened, whatever ends now.
        each(&stored, true);
        each(&durable, true);
    }
}

fn launch(in_flight: &mut InFlight, stored: &[u8], offset: u64, len: u64) {
    for at in (offset / 8 * 8..offset + len).step_by(8) {
        let word = u64::from_le_bytes(stored[at as usize..at as usize + 8].try_into().unwrap());
        in_flight.entry(at / 64).or_default().push((at, word, false));
    }
}

fn put(to: &mut [u8], offset: u64, bytes: &[u8]) {
    to[offset as usize..offset as usize + bytes.len()].copy_from_slice(bytes);
}

fn put_word(to: &mut [u8], &(offset, word, _): &(u64, u64, bool)) {
    put(to, offset, &word.to_le_bytes());
}

/// All that a medium holds.
pub fn bytes(memory: &Memory) -> Vec<u8> {
    let mut bytes = vec![0; memory.len() as usize];
    memory.read(0, &mut bytes);
    bytes
}

/// A medium that holds `bytes`.
pub fn memory(bytes: &[u8]) -> Arc<Memory> {
    let memory = Memory::new(bytes.len() as u64).unwrap();
    memory.write(0, bytes);
    Arc::new(memory)
}
