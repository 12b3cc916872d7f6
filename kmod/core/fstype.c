// SPDX-License-Identifier: GPL-2.0
/*
 * The file system types that servers have named. A type stays known to the
 * kernel until the module goes, because mounts of it may outlive its server;
 * without one, mounting it is ENOTCONN.
 */
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "zuf.h"
#include "../vfs/vfs.h"

struct fstype {
	struct file_system_type type;
	struct list_head list;
	struct zuf_server *server; /* under lock; NULL: none lives */
	char name[ZUF_NAME_MAX];
};

static LIST_HEAD(types);
static DEFINE_MUTEX(lock);

static struct fstype *find(const char *name)
{
	struct fstype *it;

	list_for_each_entry(it, &types, list)
		if (!strcmp(it->name, name))
			return it;
	return NULL;
}

static int add_new(struct zuf_server *server, const char *name)
{
	struct fstype *it = kzalloc(sizeof(*it), GFP_KERNEL);
	int err;

	if (!it)
		return -ENOMEM;
	strscpy(it->name, name, sizeof(it->name));
	it->type.owner = THIS_MODULE;
	it->type.name = it->name;
	it->type.init_fs_context = zuf_init_fs_context;
	it->type.parameters = zuf_parameters;
	it->type.kill_sb = zuf_kill_sb;
	err = register_filesystem(&it->type);
	if (err) {
		kfree(it);
		return err == -EBUSY ? -EEXIST : err;
	}
	it->server = server;
	list_add(&it->list, &types);
	return 0;
}

static bool is_name(const char *name)
{
	size_t len = strnlen(name, ZUF_NAME_MAX), i;

	for (i = 0; i < len; i++)
		if (!isalnum(name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return len && len < ZUF_NAME_MAX;
}

int zuf_fstype_add(struct zuf_server *server, const char *name)
{
	struct fstype *it;
	int err = 0;

	if (!is_name(name))
		return -EINVAL;
	mutex_lock(&lock);
	it = find(name);
	if (!it) {
		err = add_new(server, name);
	} else if (it->server && zuf_server_is_alive(it->server)) {
		pr_notice("%s: a server serves it already\n", name);
		err = -EEXIST;
	} else {
		it->server = server;
	}
	mutex_unlock(&lock);
	return err;
}

void zuf_fstype_forget(struct zuf_server *server)
{
	struct fstype *it;

	mutex_lock(&lock);
	list_for_each_entry(it, &types, list)
		if (it->server == server)
			it->server = NULL;
	mutex_unlock(&lock);
}

/* The server of a type, with a reference, if one lives. */
struct zuf_server *zuf_fstype_server(struct file_system_type *type)
{
	struct fstype *it = container_of(type, struct fstype, type);
	struct zuf_server *server;

	mutex_lock(&lock);
	server = it->server;
	if (server && !zuf_server_is_alive(server))
		server = NULL;
	if (server)
		kref_get(&server->ref);
	mutex_unlock(&lock);
	return server;
}

void zuf_fstype_exit(void)
{
	struct fstype *it, *next;

	list_for_each_entry_safe(it, next, &types, list) {
		unregister_filesystem(&it->type);
		kfree(it);
	}
}
