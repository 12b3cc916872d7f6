// SPDX-License-Identifier: GPL-2.0
#include <linux/log2.h>
#include <linux/sysfs.h>

#include "zuf.h"

#define SUM(mount, what) ({						\
	u64 sum_ = 0;							\
	int cpu_;							\
									\
	for_each_possible_cpu(cpu_)					\
		sum_ += per_cpu_ptr((mount)->stats, cpu_)->what;	\
	sum_;								\
})

void zuf_stats_done(struct zuf_mount *mount, u32 opcode, int result, u64 ns)
{
	u32 slot = opcode < ZUF_STATS_OPCODES ? opcode : 0;
	u32 bucket = ns ? ilog2(ns) : 0;

	zuf_count(mount, handoffs);
	zuf_count(mount, ops[slot]);
	if (result < 0)
		zuf_count(mount, errors[slot]);
	if (bucket >= ZUF_STATS_BUCKETS)
		bucket = ZUF_STATS_BUCKETS - 1;
	zuf_count(mount, ns[bucket]);
}

int zuf_stats_print(struct zuf_mount *mount, char *page)
{
	int at = 0, i;

#define LINE(name) \
	at += sysfs_emit_at(page, at, #name " %llu\n", SUM(mount, name))
	LINE(handoffs);
	LINE(polls);
	LINE(yields);
	LINE(parks);
	LINE(wakes);
	LINE(rings);
	LINE(sleeps);
	LINE(queued);
	LINE(orphans);
#undef LINE
	for (i = 0; i < ZUF_STATS_OPCODES; i++) {
		u64 ops = SUM(mount, ops[i]);

		if (ops)
			at += sysfs_emit_at(page, at, "op %d %llu %llu\n", i,
					    ops, SUM(mount, errors[i]));
	}
	return at;
}

int zuf_stats_print_cpus(struct zuf_mount *mount, char *page)
{
	int at = 0, cpu;

	for_each_possible_cpu(cpu) {
		const struct zuf_stats *s = per_cpu_ptr(mount->stats, cpu);

		if (s->handoffs)
			at += sysfs_emit_at(page, at,
					    "%d %llu %llu %llu %llu %llu\n",
					    cpu, s->handoffs, s->polls,
					    s->yields, s->parks, s->wakes);
	}
	return at;
}

int zuf_stats_print_histogram(struct zuf_mount *mount, char *page)
{
	int at = 0, i;

	for (i = 0; i < ZUF_STATS_BUCKETS; i++) {
		u64 count = SUM(mount, ns[i]);

		if (count)
			at += sysfs_emit_at(page, at, "%llu %llu\n", 1ULL << i,
					    count);
	}
	return at;
}
