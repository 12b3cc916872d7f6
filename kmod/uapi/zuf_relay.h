/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * The relay slot: how one operation at a time is handed over and answered in memory that both sides
 * map. This file is its definition and its manual; the Rust mirror is probed against it.
 *
 * Version history
 *
 *  1: first form.
 *
 * The version is negotiated by whoever hands the memory out, before a slot is used; a slot carries
 * none. A change of size, offset, value or meaning here is a new version.
 *
 * A slot
 *
 * A slot is two blocks: the client publishes `request`, the server publishes `reply`. "Peer" below
 * is the side that does not publish the block at hand. All of a slot's words may be written by either
 * side's process at any time, so whoever does not trust the other reads each word once and checks
 * what it read: sequence number, length, content. What no move below leads to ends the slot for the
 * reader, and nothing else.
 *
 * Zeroed memory is a fresh slot.
 *
 * A word
 *
 *   31            16 15           8   7      6      5     4         0
 *  +----------------+--------------+------+------+--------+-----------+
 *  |      seq       |     len      | ANN. | DEAD | CLOSED |  content  |
 *  +----------------+--------------+------+------+--------+-----------+
 *
 *  seq      The operation, counted from 1, wrapping. The reply to n carries n.
 *  len      Bytes of message in the block's `inline_words`, at most ZUF_RELAY_INLINE. 0 unless FULL.
 *  content  ZUF_RELAY_EMPTY, _FULL or _ABANDONED; other values are reserved and never written.
 *
 * Moves. Each publication is one atomic exchange of the whole word; whoever finds ANNOUNCED in the
 * old value wakes the peer. The letters name the orderings, the same at both ends and in every
 * implementation.
 *
 *  post      client, request: EMPTY(0) | FULL(n) | ABANDONED(n)  ->  FULL(n+1)                    (A)
 *            when the reply word is at n. The server may then read the request block.
 *  abandon   client, request: FULL(n)  ->  ABANDONED(n)                                           (A)
 *            The client touches neither slot nor payload until the reply word is at n.
 *  reply     server, reply: EMPTY(0) | FULL(n) | ABANDONED(n)  ->  FULL(n+1)                      (A)
 *            having taken n+1. The client may then read the reply block, and use slot and payload.
 *  forgo     server, reply: as reply  ->  ABANDONED(n+1)                                          (A)
 *            when the request word is ABANDONED(n+1) and n+1 was never taken.
 *  close     either, own word: any  ->  the same | CLOSED                                         (A)
 *            This side touches neither slot nor payload any more. A reply published before is
 *            delivered; a request posted before is not served.
 *  bury      guardian, the dead side's word: any  ->  the same | DEAD                             (F)
 *            By an atomic or. Who finds DEAD in the old value of a publication of its own marks its
 *            word so again and ends.
 *  announce  peer: EMPTY | FULL | ABANDONED, as last seen  ->  the same | ANNOUNCED               (C)
 *            By compare-and-swap. It may then sleep for as long as the word stays as it is.
 *  withdraw  peer: as announced  ->  as it was                                                    (C)
 *            By compare-and-swap; fails if a publication took the announcement.
 *  reset     owner of the memory: both words CLOSED or DEAD  ->  EMPTY(0)                         (D)
 *            when both ends are gone.
 *
 * Orderings
 *
 *  (A) exchange, release. Partner (B).       (B) look: load, acquire. Partner (A), (F).
 *  (C) compare-and-swap, relaxed: only the one order of all changes of one word is needed.
 *  (D) release, to whatever hands the slot to its new ends.
 *  (F) or, release. Partner (B).
 */
#ifndef _ZUF_RELAY_H
#define _ZUF_RELAY_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/types.h>
#define ZUF_RELAY_ASSERT(what) static_assert(what)
#else
#include <linux/types.h>
#include <stddef.h>
#ifdef __cplusplus
#define ZUF_RELAY_ASSERT(what) static_assert(what, #what)
#else
#define ZUF_RELAY_ASSERT(what) _Static_assert(what, #what)
#endif
#endif

#define ZUF_RELAY_VERSION 1

/* Bytes of message in a block. */
#define ZUF_RELAY_INLINE 120
#define ZUF_RELAY_INLINE_WORDS (ZUF_RELAY_INLINE / 8)

/* The alignment of a block, and its size: a pair of cache lines, fetched together. */
#define ZUF_RELAY_ALIGN 128

/* A word. */
#define ZUF_RELAY_SEQ_SHIFT 16
#define ZUF_RELAY_LEN_SHIFT 8
/* The peer sleeps, or is about to: set and taken back by the peer, taken by any publication. */
#define ZUF_RELAY_ANNOUNCED 0x80U
/* A guardian knows the publisher to be gone. */
#define ZUF_RELAY_DEAD 0x40U
/* The publisher has left in order. */
#define ZUF_RELAY_CLOSED 0x20U
#define ZUF_RELAY_CONTENT_MASK 0x1fU
/* Nothing was ever published. */
#define ZUF_RELAY_EMPTY 0U
/* The message of operation seq. */
#define ZUF_RELAY_FULL 1U
/* Request: operation seq was given up; the slot is orphaned until the reply word is at seq.
 * Reply: the server never began operation seq.
 */
#define ZUF_RELAY_ABANDONED 2U

/* A presence. */
/* The publisher sleeps in the relay; else it runs, or is at work elsewhere. */
#define ZUF_RELAY_ASLEEP 0x80000000U
/* The CPU on which the publisher was last seen, plus one; 0 if it never said. */
#define ZUF_RELAY_CPU_MASK 0x00ffffffU

struct zuf_relay_block {
	/*
	 * Published by the block's side, by atomic exchange. Announced in by the peer, by atomic
	 * compare-and-swap. Marked DEAD by a guardian, by atomic or. Read by all. Where the sleeper
	 * sleeps on a futex, this is the futex.
	 */
	__u32 word;
	/*
	 * Written by the block's side alone, by an atomic store without order, and only when it changes.
	 * Read by the peer, in the same way. A hint for choosing how to wait, valid at no particular
	 * moment. Bits outside ASLEEP and CPU_MASK are reserved: written zero, not looked at.
	 */
	__u32 presence;
	/*
	 * The message: bytes in memory order. Written by the block's side, before it publishes FULL;
	 * read by the peer after it has seen that. Valid until the peer's answer (for a reply: until the
	 * next post). Accessed as whole words by atomic operations without order; bytes beyond `len` are
	 * not defined.
	 */
	__u64 inline_words[ZUF_RELAY_INLINE_WORDS];
} __attribute__((aligned(ZUF_RELAY_ALIGN)));

struct zuf_relay_slot {
	/* Published by the client. */
	struct zuf_relay_block request;
	/* Published by the server. */
	struct zuf_relay_block reply;
};

ZUF_RELAY_ASSERT(sizeof(struct zuf_relay_block) == ZUF_RELAY_ALIGN);
ZUF_RELAY_ASSERT(sizeof(struct zuf_relay_slot) == 2 * ZUF_RELAY_ALIGN);
ZUF_RELAY_ASSERT(offsetof(struct zuf_relay_block, word) == 0);
ZUF_RELAY_ASSERT(offsetof(struct zuf_relay_block, presence) == 4);
ZUF_RELAY_ASSERT(offsetof(struct zuf_relay_block, inline_words) == 8);
ZUF_RELAY_ASSERT(offsetof(struct zuf_relay_slot, reply) == ZUF_RELAY_ALIGN);

/* The word of operation `seq`. */
static inline __u32 zuf_relay_word(__u16 seq, __u8 len, __u32 content)
{
	return (__u32)seq << ZUF_RELAY_SEQ_SHIFT | (__u32)len << ZUF_RELAY_LEN_SHIFT | content;
}

static inline __u16 zuf_relay_seq(__u32 word)
{
	return (__u16)(word >> ZUF_RELAY_SEQ_SHIFT);
}

/* Up to 255, unless checked. */
static inline __u8 zuf_relay_len(__u32 word)
{
	return (__u8)(word >> ZUF_RELAY_LEN_SHIFT);
}

/* The publisher is gone for good. */
static inline int zuf_relay_is_ended(__u32 word)
{
	return (word & (ZUF_RELAY_CLOSED | ZUF_RELAY_DEAD)) != 0;
}

/* The presence of a side that runs on `cpu`. */
static inline __u32 zuf_relay_running(__u32 cpu)
{
	return (cpu + 1) & ZUF_RELAY_CPU_MASK;
}

#undef ZUF_RELAY_ASSERT

#endif /* _ZUF_RELAY_H */
