// SPDX-License-Identifier: MIT
//! What programs hand over with today: a pipe for each direction, an eventfd for each direction. Both
//! carry the number, and both block at once.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use perf::exchange::{Answerer, Caller, STOP};
use rustix::event::{EventfdFlags, eventfd};

/// An end of two pipes.
#[derive(Debug)]
pub struct PipeEnd {
    hears: PipeReader,
    says: PipeWriter,
}

/// Both ends of two pipes.
///
/// # Errors
///
/// No more descriptors.
pub fn pipes() -> io::Result<(PipeEnd, PipeEnd)> {
    let (request, ask) = io::pipe()?;
    let (reply, answer) = io::pipe()?;
    Ok((
        PipeEnd {
            hears: reply,
            says: ask,
        },
        PipeEnd {
            hears: request,
            says: answer,
        },
    ))
}

impl PipeEnd {
    #[inline]
    fn hear(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.hears.read_exact(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    #[inline]
    fn say(&mut self, number: u32) -> io::Result<()> {
        self.says.write_all(&number.to_ne_bytes())
    }
}

impl Caller for PipeEnd {
    fn call(&mut self, number: u32) -> io::Result<u32> {
        self.say(number)?;
        self.hear()
    }
}

impl Answerer for PipeEnd {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let number = self.hear()?;
            self.say(number)?;
            if number == STOP {
                return Ok(());
            }
        }
    }
}

/// An end of two eventfds.
#[derive(Debug)]
pub struct EventEnd {
    hears: Arc<OwnedFd>,
    says: Arc<OwnedFd>,
}

/// Both ends of two eventfds.
///
/// # Errors
///
/// No more descriptors.
pub fn eventfds() -> io::Result<(EventEnd, EventEnd)> {
    let request = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
    let reply = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
    let asks = EventEnd {
        hears: reply.clone(),
        says: request.clone(),
    };
    Ok((
        asks,
        EventEnd {
            hears: request,
            says: reply,
        },
    ))
}

impl EventEnd {
    #[inline]
    fn hear(&self) -> io::Result<u32> {
        let mut count = [0; 8];
        rustix::io::read(&self.hears, &mut count)?;
        u32::try_from(u64::from_ne_bytes(count)).map_err(io::Error::other)
    }

    #[inline]
    fn say(&self, number: u32) -> io::Result<()> {
        // Added to a count that the other side has taken down to 0: so the count is the number.
        rustix::io::write(&self.says, &u64::from(number).to_ne_bytes())?;
        Ok(())
    }
}

impl Caller for EventEnd {
    fn call(&mut self, number: u32) -> io::Result<u32> {
        self.say(number)?;
        self.hear()
    }
}

impl Answerer for EventEnd {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let number = self.hear()?;
            self.say(number)?;
            if number == STOP {
                return Ok(());
            }
        }
    }
}
