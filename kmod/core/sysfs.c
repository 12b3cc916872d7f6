// SPDX-License-Identifier: GPL-2.0
/* /sys/fs/zuf/mounts/ID/: state, policy, statistics, abort. */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "zuf.h"

static struct kset *mounts;
static struct kobject *root;

struct entry {
	struct attribute attr;
	ssize_t (*show)(struct zuf_mount *mount, char *page);
	ssize_t (*store)(struct zuf_mount *mount, const char *page, size_t len);
};

static ssize_t state_show(struct zuf_mount *mount, char *page)
{
	const char *state = mount->aborted ? "aborted" :
		READ_ONCE(mount->ended) ? "ended" :
		completion_done(&mount->ready) ? "ready" : "starting";

	return sysfs_emit(page, "%s\n", state);
}

static ssize_t type_show(struct zuf_mount *mount, char *page)
{
	return sysfs_emit(page, "%s\n", mount->fs);
}

static ssize_t source_show(struct zuf_mount *mount, char *page)
{
	return sysfs_emit(page, "%s\n", mount->source);
}

static ssize_t strategy_show(struct zuf_mount *mount, char *page)
{
	return sysfs_emit(page, "%s\n",
			  zuf_strategy_names[READ_ONCE(mount->strategy)]);
}

static ssize_t spin_ns_show(struct zuf_mount *mount, char *page)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(mount->spin_ns));
}

static ssize_t channels_show(struct zuf_mount *mount, char *page)
{
	return sysfs_emit(page, "%u\n", mount->chan_count);
}

static ssize_t stats_show(struct zuf_mount *mount, char *page)
{
	return zuf_stats_print(mount, page);
}

static ssize_t cpus_show(struct zuf_mount *mount, char *page)
{
	return zuf_stats_print_cpus(mount, page);
}

static ssize_t histogram_show(struct zuf_mount *mount, char *page)
{
	return zuf_stats_print_histogram(mount, page);
}

static ssize_t abort_store(struct zuf_mount *mount, const char *page,
			   size_t len)
{
	mount->aborted = true;
	zuf_mount_end(mount);
	return len;
}

#define RO(what) \
	static struct entry what##_entry = { \
		.attr = { .name = #what, .mode = 0444 }, .show = what##_show }
RO(state);
RO(type);
RO(source);
RO(strategy);
RO(spin_ns);
RO(channels);
RO(stats);
RO(cpus);
RO(histogram);
static struct entry abort_entry = {
	.attr = { .name = "abort", .mode = 0200 }, .store = abort_store };

static struct attribute *mount_attrs[] = {
	&state_entry.attr, &type_entry.attr, &source_entry.attr,
	&strategy_entry.attr, &spin_ns_entry.attr, &channels_entry.attr,
	&stats_entry.attr, &cpus_entry.attr, &histogram_entry.attr,
	&abort_entry.attr, NULL,
};
ATTRIBUTE_GROUPS(mount);

static ssize_t show(struct kobject *kobj, struct attribute *attr, char *page)
{
	struct entry *entry = container_of(attr, struct entry, attr);

	return entry->show ? entry->show(kobj_to_mount(kobj), page) : -EIO;
}

static ssize_t store(struct kobject *kobj, struct attribute *attr,
		     const char *page, size_t len)
{
	struct entry *entry = container_of(attr, struct entry, attr);

	return entry->store ? entry->store(kobj_to_mount(kobj), page, len) :
			      -EIO;
}

static const struct sysfs_ops ops = { .show = show, .store = store };

static const struct kobj_type mount_ktype = {
	.release = zuf_mount_release,
	.sysfs_ops = &ops,
	.default_groups = mount_groups,
};

/* Its failure leaves the object to be put. */
int zuf_sysfs_add(struct zuf_mount *mount)
{
	mount->kobj.kset = mounts;
	return kobject_init_and_add(&mount->kobj, &mount_ktype, NULL, "%llu",
				    mount->id);
}

int zuf_sysfs_init(void)
{
	root = kobject_create_and_add("zuf", fs_kobj);
	if (!root)
		return -ENOMEM;
	mounts = kset_create_and_add("mounts", NULL, root);
	if (!mounts) {
		kobject_put(root);
		return -ENOMEM;
	}
	return 0;
}

void zuf_sysfs_exit(void)
{
	kset_unregister(mounts);
	kobject_put(root);
}
