// SPDX-License-Identifier: GPL-2.0
/*
 * How a caller waits for its reply: the kernel's side of the strategies. The
 * order is fixed: spin, announce, recheck, sleep; every wait is killable.
 *
 * Spinning is allowed only while it can pay and hurts nobody: the server's
 * thread runs, on another CPU, and no other task wants this one.
 */
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "zuf.h"
#include "trace.h"

/* Looks between two checks of whether spinning is still allowed. */
#define BATCH 16

const char *const zuf_strategy_names[] = {
	[ZUF_WAITQUEUE] = "waitqueue",
	[ZUF_PARK] = "park",
	[ZUF_YIELD] = "yield",
	[ZUF_SPIN] = "spin",
	[ZUF_HYBRID] = "hybrid",
};

static enum zuf_look look(struct zuf_chan *chan)
{
	bool wake;

	return zuf_look_at(&chan->end, &wake);
}

static bool may_spin(const struct zuf_chan *chan)
{
	const struct task_struct *server = READ_ONCE(chan->server);

	return server && READ_ONCE(server->on_cpu) &&
	       task_cpu(server) != raw_smp_processor_id() &&
	       !need_resched() && single_task_running() &&
	       !fatal_signal_pending(current) &&
	       !READ_ONCE(chan->mount->ended);
}

static enum zuf_look spin(struct zuf_chan *chan, u64 window_ns)
{
	u64 start = 0;
	unsigned int done = 0;
	enum zuf_look found;

	while (may_spin(chan)) {
		int i;

		for (i = 0; i < BATCH; i++) {
			cpu_relax();
			found = look(chan);
			if (found != ZUF_NOTHING)
				goto out;
			done++;
		}
		/* A hot hand-off ends before the clock is read. */
		if (!start)
			start = local_clock();
		else if (local_clock() - start > window_ns)
			break;
	}
	found = ZUF_NOTHING;
out:
	zuf_count_many(chan->mount, polls, done);
	return found;
}

/*
 * Gives way once, without leaving the run queue: if the server waits for this
 * CPU it is its turn, and neither wakes the other. Once only: if a third task
 * got the turn instead, yielding on would hand it the CPU slice by slice.
 */
static enum zuf_look yield_once(struct zuf_chan *chan)
{
	const struct task_struct *server = READ_ONCE(chan->server);

	if (!server || task_cpu(server) != raw_smp_processor_id() ||
	    READ_ONCE(server->__state) != TASK_RUNNING)
		return ZUF_NOTHING;
	zuf_count(chan->mount, yields);
	yield();
	return look(chan);
}

static void show(struct zuf_chan *chan, u32 presence)
{
	if (chan->presence != presence) {
		chan->presence = presence;
		WRITE_ONCE(chan->slot->request.presence, presence);
	}
}

static enum zuf_look sleep(struct zuf_chan *chan)
{
	u32 running = zuf_relay_running(raw_smp_processor_id());
	DEFINE_WAIT(wait);

	prepare_to_wait(&chan->reply_wait, &wait, TASK_KILLABLE);
	/* (C): what fails here is a reply that came meanwhile. */
	if (zuf_announce(&chan->end)) {
		show(chan, running | ZUF_RELAY_ASLEEP);
		zuf_count(chan->mount, parks);
		trace_zuf_park(chan->mount->id, chan->index, false);
		if (!READ_ONCE(chan->mount->ended) &&
		    !fatal_signal_pending(current))
			schedule();
		show(chan, zuf_relay_running(raw_smp_processor_id()));
	}
	finish_wait(&chan->reply_wait, &wait);
	zuf_withdraw(&chan->end);
	return look(chan);
}

enum zuf_look zuf_await(struct zuf_chan *chan)
{
	struct zuf_mount *mount = chan->mount;
	enum zuf_look found = ZUF_NOTHING;

	show(chan, zuf_relay_running(raw_smp_processor_id()));
	/* The baseline sleeps before it looks. */
	if (READ_ONCE(mount->strategy) != ZUF_WAITQUEUE)
		found = look(chan);
	while (found == ZUF_NOTHING) {
		/* The policy is read in each round: it changes live. */
		switch (READ_ONCE(mount->strategy)) {
		case ZUF_SPIN:
			found = spin(chan, U64_MAX);
			break;
		case ZUF_HYBRID:
			found = spin(chan, READ_ONCE(mount->spin_ns) ?:
				     ZUF_SPIN_NS_DEFAULT);
			break;
		case ZUF_YIELD:
			found = yield_once(chan);
			break;
		}
		if (found == ZUF_NOTHING)
			found = sleep(chan);
		if (found != ZUF_NOTHING)
			break;
		if (READ_ONCE(mount->ended))
			return ZUF_ENDED;
		if (fatal_signal_pending(current))
			return ZUF_NOTHING;
	}
	return found;
}
