// SPDX-License-Identifier: GPL-2.0
/*
 * The channels of a CPU. Who finds none free waits, in order, and is handed
 * the first that is released: no retry, no overtaking. A channel belongs to a
 * CPU by preference only: whoever has one keeps it wherever it goes.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "zuf.h"

/* On the stack of who waits. */
struct waiter {
	struct list_head list;
	struct task_struct *task;
	struct zuf_chan *chan;
};

struct zuf_pool *zuf_pool_new(void)
{
	struct zuf_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (pool) {
		spin_lock_init(&pool->lock);
		INIT_LIST_HEAD(&pool->free);
		INIT_LIST_HEAD(&pool->waiters);
	}
	return pool;
}

static struct zuf_chan *pop(struct zuf_pool *pool)
{
	struct zuf_chan *chan = NULL;

	if (!list_empty(&pool->free)) {
		chan = list_first_entry(&pool->free, struct zuf_chan, free);
		list_del_init(&chan->free);
	} else if (pool->reserve && current->flags & PF_MEMALLOC) {
		chan = pool->reserve;
		pool->reserve = NULL;
	}
	return chan;
}

static struct zuf_chan *wait(struct zuf_mount *mount, struct zuf_pool *pool,
			     struct waiter *waiter)
{
	int err = 0;

	zuf_count(mount, queued);
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (smp_load_acquire(&waiter->chan))
			break;
		if (READ_ONCE(mount->ended) || !READ_ONCE(pool->live))
			err = -ENOTCONN;
		else if (fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	if (err) {
		spin_lock(&pool->lock);
		/* Handed one at the last moment? Then it is taken. */
		if (!waiter->chan)
			list_del(&waiter->list);
		spin_unlock(&pool->lock);
	}
	return waiter->chan ?: ERR_PTR(err);
}

struct zuf_chan *zuf_pool_acquire(struct zuf_mount *mount)
{
	struct zuf_pool *pool = mount->home[raw_smp_processor_id()];
	struct waiter waiter = { .task = current };
	struct zuf_chan *chan = NULL;

	if (READ_ONCE(mount->ended))
		return ERR_PTR(-ENOTCONN);
	spin_lock(&pool->lock);
	if (list_empty(&pool->waiters) || current->flags & PF_MEMALLOC)
		chan = pop(pool);
	if (!chan)
		list_add_tail(&waiter.list, &pool->waiters);
	spin_unlock(&pool->lock);
	return chan ?: wait(mount, pool, &waiter);
}

void zuf_pool_release(struct zuf_chan *chan)
{
	struct zuf_pool *pool = chan->pool;
	struct task_struct *task = NULL;
	struct waiter *waiter;

	spin_lock(&pool->lock);
	if (chan->broken) {
		/* Never comes back. */
	} else if (chan->reserve) {
		pool->reserve = chan;
	} else if (!list_empty(&pool->waiters)) {
		waiter = list_first_entry(&pool->waiters, struct waiter, list);
		list_del(&waiter->list);
		task = waiter->task;
		get_task_struct(task);
		/* The waiter is gone as soon as it sees this. */
		smp_store_release(&waiter->chan, chan);
	} else {
		/* The one used last is the one whose lines are warm. */
		list_add(&chan->free, &pool->free);
	}
	spin_unlock(&pool->lock);
	if (task) {
		wake_up_process(task);
		put_task_struct(task);
	}
}

/* A CPU's own pool, else one of its node, else any. */
static struct zuf_pool *nearest(struct zuf_mount *mount, int cpu)
{
	struct zuf_pool *any = NULL;
	int other;

	if (mount->pools[cpu])
		return mount->pools[cpu];
	for_each_possible_cpu(other) {
		if (!mount->pools[other])
			continue;
		if (cpu_to_node(other) == cpu_to_node(cpu))
			return mount->pools[other];
		if (!any)
			any = mount->pools[other];
	}
	return any;
}

/* Once all channels are made: where each CPU finds one. */
void zuf_pool_settle(struct zuf_mount *mount)
{
	int cpu;

	/* Who finds a home finds the channels too: partner in zuf_chan_wait(). */
	for_each_possible_cpu(cpu)
		smp_store_release(&mount->home[cpu], nearest(mount, cpu));
}

void zuf_pool_wake_all(struct zuf_mount *mount)
{
	struct waiter *waiter;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct zuf_pool *pool = mount->pools[cpu];

		if (!pool)
			continue;
		spin_lock(&pool->lock);
		list_for_each_entry(waiter, &pool->waiters, list)
			wake_up_process(waiter->task);
		spin_unlock(&pool->lock);
	}
}
