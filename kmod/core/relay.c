// SPDX-License-Identifier: GPL-2.0
/* The moves on a slot's words. Nothing outside this file touches one. */

#include "relay.h"

void zuf_end_init(struct zuf_end *end, struct zuf_relay_slot *slot,
		  enum zuf_side side)
{
	memset(end, 0, sizeof(*end));
	end->side = side;
	end->own = side == ZUF_CLIENT ? &slot->request : &slot->reply;
	end->other = side == ZUF_CLIENT ? &slot->reply : &slot->request;
}

static enum zuf_change judge_end(u32 next)
{
	if (next & ZUF_RELAY_DEAD)
		return ZUF_DEAD;
	if (next & ZUF_RELAY_CLOSED)
		return ZUF_CLOSED;
	return ZUF_GARBAGE;
}

static enum zuf_change judge_reply(u32 mine, u32 theirs, u32 next)
{
	u16 expected = zuf_word_next_seq(theirs);
	u32 body = zuf_word_body(next);

	/* Only to a posted operation, and also if the server has gone since. */
	if (zuf_relay_seq(mine) != expected || zuf_relay_seq(body) != expected)
		return judge_end(next);
	switch (body & ZUF_RELAY_CONTENT_MASK) {
	case ZUF_RELAY_FULL:
		if (zuf_relay_len(body) <= ZUF_RELAY_INLINE)
			return ZUF_MESSAGE;
		break;
	case ZUF_RELAY_ABANDONED:
		if (next == mine)
			return ZUF_ABANDONED;
		break;
	}
	return judge_end(next);
}

static enum zuf_change judge_request(u32 theirs, u32 next)
{
	u16 seq = zuf_relay_seq(theirs);
	u16 expected = zuf_word_next_seq(theirs);
	u32 full = zuf_relay_word(seq, zuf_relay_len(theirs), ZUF_RELAY_FULL);

	if (next & (ZUF_RELAY_CLOSED | ZUF_RELAY_DEAD))
		return judge_end(next);
	switch (next & ZUF_RELAY_CONTENT_MASK) {
	case ZUF_RELAY_FULL:
		if (zuf_relay_seq(next) == expected &&
		    zuf_relay_len(next) <= ZUF_RELAY_INLINE)
			return ZUF_MESSAGE;
		break;
	case ZUF_RELAY_ABANDONED:
		if (next == zuf_relay_word(expected, 0, ZUF_RELAY_ABANDONED))
			return ZUF_ABANDONED;
		if (next == zuf_relay_word(seq, 0, ZUF_RELAY_ABANDONED) &&
		    theirs == full)
			return ZUF_LATE_ABANDONED;
		break;
	}
	return ZUF_GARBAGE;
}

/*
 * Judges the peer's word next, which differs from theirs, the last one
 * judged. Whatever the peer may have written, the answer is one that this side
 * can act on.
 */
enum zuf_change zuf_judge(enum zuf_side side, u32 mine, u32 theirs, u32 next)
{
	return side == ZUF_CLIENT ? judge_reply(mine, theirs, next) :
				    judge_request(theirs, next);
}

/* (A) partner (B). Returns whether the peer had announced itself. */
static bool publish(struct zuf_end *end, u32 word)
{
	u32 old = zuf_xchg_release(&end->own->word, word);

	/* Somebody else wrote this side's own word: the slot is given up. */
	if (zuf_word_unannounced(old) != end->mine)
		end->ended = true;
	end->mine = word;
	return old & ZUF_RELAY_ANNOUNCED;
}

static bool publish_message(struct zuf_end *end, const void *message, u32 len)
{
	u64 *to = end->own->inline_words;
	const u8 *from = message;
	u32 at;

	for (at = 0; at < len; at += 8) {
		u64 bytes = 0;

		memcpy(&bytes, from + at, len - at < 8 ? len - at : 8);
		zuf_store(&to[at / 8], bytes);
	}
	return publish(end, zuf_relay_word(zuf_word_next_seq(end->mine), len,
					   ZUF_RELAY_FULL));
}

bool zuf_post(struct zuf_end *end, const void *message, u32 len)
{
	return publish_message(end, message, len);
}

bool zuf_reply(struct zuf_end *end, const void *message, u32 len)
{
	return publish_message(end, message, len);
}

bool zuf_abandon(struct zuf_end *end)
{
	return publish(end, zuf_relay_word(zuf_relay_seq(end->mine), 0,
					   ZUF_RELAY_ABANDONED));
}

bool zuf_close(struct zuf_end *end)
{
	end->ended = true;
	if (zuf_relay_is_ended(end->mine))
		return false;
	return publish(end, end->mine | ZUF_RELAY_CLOSED);
}

void zuf_bury(struct zuf_relay_block *block)
{
	/* (F) partner (B) */
	zuf_or_release(&block->word, ZUF_RELAY_DEAD);
}

enum zuf_look zuf_look_at(struct zuf_end *end, bool *wake)
{
	/* (B) partner (A) */
	u32 next = zuf_word_unannounced(zuf_load_acquire(&end->other->word));
	enum zuf_change change;

	if (end->ended)
		return ZUF_ENDED;
	if (next == end->theirs)
		return ZUF_NOTHING;
	change = zuf_judge(end->side, end->mine, end->theirs, next);
	/* A reply whose server has gone since is taken first. */
	end->theirs = change == ZUF_MESSAGE ? zuf_word_body(next) : next;
	switch (change) {
	case ZUF_MESSAGE:
		return ZUF_ARRIVED;
	case ZUF_ABANDONED:
		if (end->side == ZUF_CLIENT)
			return ZUF_FORGONE;
		/* forgo: so that the client can use the slot again */
		*wake = publish(end, zuf_relay_word(zuf_word_next_seq(end->mine),
						    0, ZUF_RELAY_ABANDONED));
		return end->ended ? ZUF_ENDED : ZUF_NOTHING;
	case ZUF_LATE_ABANDONED:
		return ZUF_NOTHING;
	default:
		end->ended = true;
		return ZUF_ENDED;
	}
}

bool zuf_announce(struct zuf_end *end)
{
	/* (C) */
	return zuf_cmpxchg_relaxed(&end->other->word, end->theirs,
				   end->theirs | ZUF_RELAY_ANNOUNCED) ==
	       end->theirs;
}

void zuf_withdraw(struct zuf_end *end)
{
	u32 announced = end->theirs | ZUF_RELAY_ANNOUNCED;

	/* The load spares the publisher's line a failing exchange. */
	if (zuf_load(&end->other->word) == announced)
		/* (C) */
		zuf_cmpxchg_relaxed(&end->other->word, announced, end->theirs);
}

u32 zuf_fetch(const struct zuf_end *end, void *message)
{
	u32 len = zuf_relay_len(end->theirs);
	u8 *to = message;
	u32 at;

	for (at = 0; at < len; at += 8) {
		u64 bytes = zuf_load(&end->other->inline_words[at / 8]);

		memcpy(to + at, &bytes, len - at < 8 ? len - at : 8);
	}
	return len;
}
