/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of a mount, per CPU: written without locks, summed when read. */
#ifndef ZUF_STATS_H
#define ZUF_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

#define ZUF_STATS_OPCODES 64
#define ZUF_STATS_BUCKETS 40	/* of the histogram: powers of two of ns */

struct zuf_stats {
	u64 handoffs;	/* operations answered */
	u64 polls;	/* looks in vain while spinning */
	u64 yields;
	u64 parks;	/* callers that went to sleep */
	u64 wakes;	/* servers woken by callers */
	u64 rings;	/* callers woken by servers */
	u64 sleeps;	/* servers that went to sleep */
	u64 queued;	/* callers that waited for a channel */
	u64 orphans;
	u64 ops[ZUF_STATS_OPCODES];
	u64 errors[ZUF_STATS_OPCODES];
	u64 ns[ZUF_STATS_BUCKETS];
};

#define zuf_count(mount, what) this_cpu_inc((mount)->stats->what)
#define zuf_count_many(mount, what, n) this_cpu_add((mount)->stats->what, n)

struct zuf_mount;

void zuf_stats_done(struct zuf_mount *mount, u32 opcode, int result, u64 ns);
int zuf_stats_print(struct zuf_mount *mount, char *page);
int zuf_stats_print_cpus(struct zuf_mount *mount, char *page);
int zuf_stats_print_histogram(struct zuf_mount *mount, char *page);

#endif
