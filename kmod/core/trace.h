/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM zuf

#if !defined(ZUF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ZUF_TRACE_H

#include <linux/tracepoint.h>

/* An operation on its way: to the server, and back. */
DECLARE_EVENT_CLASS(zuf_op,
	TP_PROTO(u64 mount, u32 channel, u32 opcode, u64 unique, int result),
	TP_ARGS(mount, channel, opcode, unique, result),
	TP_STRUCT__entry(
		__field(u64, mount)
		__field(u32, channel)
		__field(u32, opcode)
		__field(u64, unique)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->mount = mount;
		__entry->channel = channel;
		__entry->opcode = opcode;
		__entry->unique = unique;
		__entry->result = result;
	),
	TP_printk("mount %llu channel %u opcode %u unique %#llx result %d",
		  __entry->mount, __entry->channel, __entry->opcode,
		  __entry->unique, __entry->result)
);

DEFINE_EVENT(zuf_op, zuf_post,
	TP_PROTO(u64 mount, u32 channel, u32 opcode, u64 unique, int result),
	TP_ARGS(mount, channel, opcode, unique, result));
DEFINE_EVENT(zuf_op, zuf_reply,
	TP_PROTO(u64 mount, u32 channel, u32 opcode, u64 unique, int result),
	TP_ARGS(mount, channel, opcode, unique, result));

/* A side of a channel goes to sleep, is woken, comes back to work. */
DECLARE_EVENT_CLASS(zuf_side,
	TP_PROTO(u64 mount, u32 channel, bool server),
	TP_ARGS(mount, channel, server),
	TP_STRUCT__entry(
		__field(u64, mount)
		__field(u32, channel)
		__field(bool, server)
	),
	TP_fast_assign(
		__entry->mount = mount;
		__entry->channel = channel;
		__entry->server = server;
	),
	TP_printk("mount %llu channel %u %s", __entry->mount,
		  __entry->channel, __entry->server ? "server" : "caller")
);

DEFINE_EVENT(zuf_side, zuf_park,
	TP_PROTO(u64 mount, u32 channel, bool server),
	TP_ARGS(mount, channel, server));
DEFINE_EVENT(zuf_side, zuf_wake,
	TP_PROTO(u64 mount, u32 channel, bool server),
	TP_ARGS(mount, channel, server));
DEFINE_EVENT(zuf_side, zuf_serve,
	TP_PROTO(u64 mount, u32 channel, bool server),
	TP_ARGS(mount, channel, server));

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
