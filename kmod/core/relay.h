/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The relay: the twin of the Rust crate, with the same words, states, moves
 * and labels. The table of moves stands in relay/src/state.rs; the moves here
 * bear its names.
 *
 * Orderings, with their partners:
 *
 * (A) publish: exchange, release. Partner (B). What was written into the
 *     block and the window before is seen by whoever sees the word.
 * (B) look: load, acquire. Partner (A), (F).
 * (F) bury: or, release. Partner (B).
 * (C) announce, withdraw: compare-and-swap, relaxed. They order nothing but
 *     themselves: one order of all changes to one word is all that is needed.
 *
 *	waiter				publisher
 *	(C) cmpxchg(word, seen,		(A) old = xchg(word, new)
 *	    seen | ANNOUNCED)		    if (old & ANNOUNCED)
 *	    failed: look again			wake
 *	    done:   sleep
 *
 * The two read-modify-writes of one word have one order, so either the
 * publisher finds the announcement or the waiter's compare fails.
 *
 * The peer of the kernel's end is user space: each word is read once, then
 * judged, and the kernel's own state (mine, theirs) is private.
 */
#ifndef ZUF_RELAY_H
#define ZUF_RELAY_H

#include "port.h"
#include "../uapi/zuf_relay.h"

enum zuf_side { ZUF_CLIENT, ZUF_SERVER };

/* What a changed word of the peer's means. */
enum zuf_change {
	ZUF_MESSAGE,
	ZUF_ABANDONED,
	ZUF_LATE_ABANDONED,
	ZUF_CLOSED,
	ZUF_DEAD,
	ZUF_GARBAGE,
};

/* What a look at the peer's block came to. */
enum zuf_look {
	ZUF_NOTHING,	/* unchanged, or a change that needs no action */
	ZUF_ARRIVED,	/* a message: fetch it */
	ZUF_FORGONE,	/* client: the abandoned operation was never begun */
	ZUF_ENDED,	/* nothing more will come */
};

/* One end of a slot: the single publisher of its own block. */
struct zuf_end {
	struct zuf_relay_block *own;
	struct zuf_relay_block *other;
	enum zuf_side side;
	u32 mine;	/* the word last published */
	u32 theirs;	/* the peer's word last judged */
	bool ended;
};

static inline u32 zuf_word_unannounced(u32 word)
{
	return word & ~ZUF_RELAY_ANNOUNCED;
}

/* What was published before the end. */
static inline u32 zuf_word_body(u32 word)
{
	return word & ~(ZUF_RELAY_ANNOUNCED | ZUF_RELAY_CLOSED |
			ZUF_RELAY_DEAD);
}

static inline u16 zuf_word_next_seq(u32 word)
{
	return zuf_relay_seq(word) + 1;
}

/* Nothing posted, or taken, is unanswered. */
static inline bool zuf_end_is_idle(const struct zuf_end *end)
{
	return zuf_relay_seq(end->mine) == zuf_relay_seq(end->theirs);
}

void zuf_end_init(struct zuf_end *end, struct zuf_relay_slot *slot,
		  enum zuf_side side);

enum zuf_change zuf_judge(enum zuf_side side, u32 mine, u32 theirs, u32 next);

/*
 * The moves. Each returns whether the peer had announced itself and is to be
 * woken; end->ended tells afterwards whether the slot turned out broken.
 */
bool zuf_post(struct zuf_end *end, const void *message, u32 len);
bool zuf_reply(struct zuf_end *end, const void *message, u32 len);
bool zuf_abandon(struct zuf_end *end);
bool zuf_close(struct zuf_end *end);

/* By a guardian: whoever publishes the block is gone. */
void zuf_bury(struct zuf_relay_block *block);

/* (B), and the judgement. *wake: the peer is to be woken (a forgo). */
enum zuf_look zuf_look_at(struct zuf_end *end, bool *wake);

/* (C). False: the peer's word changed, look again. */
bool zuf_announce(struct zuf_end *end);
void zuf_withdraw(struct zuf_end *end);

/* Copies the message that a look found; returns its length. */
u32 zuf_fetch(const struct zuf_end *end, void *message);

#endif
