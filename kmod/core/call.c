// SPDX-License-Identifier: GPL-2.0
/*
 * One operation: from the VFS to the server and back.
 *
 * A message is the header and up to three arguments: its first bytes inline in
 * the slot, the rest at the start of the window. Whatever comes back is copied
 * once, then checked; all that a wrong reply can do is make the operation fail.
 */
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "zuf.h"
#include "trace.h"

#define MAX_ERRNO_SENT 511

/* Puts bytes into a message: inline, then into the window. */
static u32 put(struct zuf_chan *chan, u8 *head, u32 at, const void *data,
	       u32 len)
{
	u32 first = at < ZUF_RELAY_INLINE ?
		min(len, ZUF_RELAY_INLINE - at) : 0;

	memcpy(head + at, data, first);
	if (len > first)
		memcpy(chan->window + (at + first - ZUF_RELAY_INLINE),
		       data + first, len - first);
	return at + len;
}

static u32 message_len(const struct zuf_op *op)
{
	u32 len = sizeof(struct fuse_in_header);
	int i;

	for (i = 0; i < ARRAY_SIZE(op->in); i++)
		len += op->in[i].len;
	return len;
}

/* Writes the message; returns the length of its inline part. */
static int compose(struct zuf_chan *chan, const struct zuf_op *op, u8 *head)
{
	u32 len = message_len(op), at;
	struct fuse_in_header header = {
		.len = len + op->from_len,
		.opcode = op->opcode,
		.unique = chan->unique,
		.nodeid = op->nodeid,
		.uid = from_kuid(&init_user_ns, current_fsuid()),
		.gid = from_kgid(&init_user_ns, current_fsgid()),
		.pid = task_tgid_nr(current),
	};
	int i;

	if (len > ZUF_RELAY_INLINE + ZUF_WINDOW || op->from_len > ZUF_WINDOW ||
	    op->to_max > ZUF_WINDOW)
		return -EINVAL;
	/* Where data stand at the start of the window, nothing else can. */
	if (op->from_len && len > ZUF_RELAY_INLINE)
		return -EINVAL;
	at = put(chan, head, 0, &header, sizeof(header));
	for (i = 0; i < ARRAY_SIZE(op->in); i++)
		at = put(chan, head, at, op->in[i].data, op->in[i].len);
	if (op->from_len &&
	    copy_from_iter(chan->window, op->from_len, op->from) !=
		    op->from_len)
		return -EFAULT;
	return min(at, (u32)ZUF_RELAY_INLINE);
}

static int deliver(struct zuf_chan *chan, struct zuf_op *op, u32 len)
{
	if (op->to)
		return copy_to_iter(chan->window, len, op->to) == len ?
			len : -EFAULT;
	memcpy(op->to_buffer, chan->window, len);
	return len;
}

/* Takes the reply apart: 0, bytes of data, or an errno. */
static int understand(struct zuf_chan *chan, struct zuf_op *op)
{
	u8 head[ZUF_RELAY_INLINE];
	struct fuse_out_header header;
	u32 len = zuf_fetch(&chan->end, head), body, first;

	if (op->unanswered)
		return len ? -EIO : 0;
	if (len < sizeof(header))
		return -EIO;
	memcpy(&header, head, sizeof(header));
	if (header.unique != chan->unique || header.len < sizeof(header))
		return -EIO;
	body = header.len - sizeof(header);
	if (header.error) {
		if (header.error > 0 || header.error < -MAX_ERRNO_SENT || body ||
		    len != sizeof(header))
			return -EIO;
		return header.error;
	}
	if (op->to_max) {
		if (body > op->to_max || len != sizeof(header))
			return -EIO;
		return deliver(chan, op, body);
	}
	if (body != op->out_len || len != min(header.len,
					      (u32)ZUF_RELAY_INLINE))
		return -EIO;
	first = len - sizeof(header);
	memcpy(op->out, head + sizeof(header), first);
	if (body > first)
		memcpy(op->out + first, chan->window, body - first);
	return 0;
}

/*
 * The caller was killed. If the reply is there by now it counts; else the slot
 * is left to an orphan, and the caller goes.
 */
static enum zuf_look give_up(struct zuf_chan *chan, const struct zuf_op *op)
{
	enum zuf_look found;
	bool wake;

	zuf_chan_wake(chan, zuf_abandon(&chan->end));
	found = zuf_look_at(&chan->end, &wake);
	if (found == ZUF_NOTHING)
		zuf_orphan_leave(chan, op);
	return found;
}

static int exchange(struct zuf_chan *chan, struct zuf_op *op)
{
	u8 head[ZUF_RELAY_INLINE];
	enum zuf_look found;
	int len, result;

	chan->unique = ((u64)(chan->index + 1) << 40) |
		((chan->unique + 1) & GENMASK_ULL(39, 0));
	len = compose(chan, op, head);
	if (len < 0)
		goto out_len;
	trace_zuf_post(chan->mount->id, chan->index, op->opcode, chan->unique,
		       0);
	zuf_chan_wake(chan, zuf_post(&chan->end, head, len));
	found = zuf_await(chan);
	if (found == ZUF_NOTHING) {
		found = give_up(chan, op);
		if (found == ZUF_NOTHING)
			return -EINTR;
	}
	switch (found) {
	case ZUF_ARRIVED:
		result = understand(chan, op);
		break;
	case ZUF_FORGONE:
		result = -EINTR;
		break;
	default:
		result = -ENOTCONN;
	}
	if (chan->end.ended) {
		zuf_chan_break(chan);
		result = found == ZUF_ARRIVED ? result : -ENOTCONN;
	}
	trace_zuf_reply(chan->mount->id, chan->index, op->opcode, chan->unique,
			result);
	zuf_pool_release(chan);
	return result;

out_len:
	zuf_pool_release(chan);
	return len;
}

int zuf_call(struct zuf_mount *mount, struct zuf_op *op)
{
	u64 start = local_clock();
	struct zuf_chan *chan;
	int result;

	result = zuf_fence_wait(mount, op);
	if (result)
		return result;
	chan = zuf_pool_acquire(mount);
	if (IS_ERR(chan))
		return PTR_ERR(chan);
	result = exchange(chan, op);
	zuf_stats_done(mount, op->opcode, result, local_clock() - start);
	return result;
}
