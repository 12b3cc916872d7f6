// SPDX-License-Identifier: MIT
//! What can go wrong with a hand-off.

/// Why an operation on an end of a slot did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WaitError {
    /// The other side left in order. Nothing more will come.
    #[error("the other side of the relay has closed it")]
    Closed,
    /// A guardian found the other side, or this one, gone. Nothing more will come.
    #[error("the other side of the relay is dead")]
    Dead,
    /// The deadline passed; what was waited for may still come.
    #[error("nothing came over the relay in time")]
    TimedOut,
    /// The other side wrote what no legal move leads to. The slot is not used any more.
    #[error("the other side of the relay broke the protocol")]
    Protocol,
    /// The client gave up an operation whose reply has not come yet: the slot is orphaned until then.
    #[error("the relay slot still awaits the reply of an abandoned operation")]
    Busy,
    /// This side called what is not its turn: posted twice, waited with nothing posted, replied to
    /// nothing, asked for the next operation before answering the last.
    #[error("not this side's turn on the relay")]
    OutOfTurn,
    /// The message is longer than [`INLINE`](crate::INLINE) bytes.
    #[error("message too long for a relay slot")]
    TooLong,
}
