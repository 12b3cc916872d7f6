/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the relay twin needs of its surroundings, in the kernel and in user
 * space: so that one source passes the same suite as the Rust crate.
 */
#ifndef ZUF_PORT_H
#define ZUF_PORT_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/string.h>
#include <linux/types.h>

#define zuf_xchg_release(p, v) xchg_release(p, v)
#define zuf_cmpxchg_relaxed(p, old, new) cmpxchg_relaxed(p, old, new)
#define zuf_load_acquire(p) smp_load_acquire(p)
#define zuf_or_release(p, bits) \
	((void)atomic_fetch_or_release(bits, (atomic_t *)(p)))
#define zuf_load(p) READ_ONCE(*(p))
#define zuf_store(p, v) WRITE_ONCE(*(p), v)

#else

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define zuf_xchg_release(p, v) __atomic_exchange_n(p, v, __ATOMIC_RELEASE)
#define zuf_or_release(p, bits) \
	((void)__atomic_fetch_or(p, bits, __ATOMIC_RELEASE))
#define zuf_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define zuf_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define zuf_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

static inline u32 zuf_cmpxchg_relaxed(u32 *p, u32 old, u32 new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return old;
}

#endif

#endif
