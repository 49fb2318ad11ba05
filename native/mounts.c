/*
 * The container's view of files. Mounts are moved by descriptor, never by path: between opening a target and mounting on
 * it nobody can exchange it (CVE-2021-30465).
 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "root_paths.h"
#include "syscalls.h"
#include "text.h"

/* A mount in a slot. One that is attached is no longer moved but cloned. */
struct parked {
	bool used;
	bool attached;
	int fd;
};

static struct parked slots[SLOT_LIMIT];

/* The empty directory that masks directories, made at its first use. */
static struct parked empty_directory;

void put_slot(uint32_t slot, int fd)
{
	if (slots[slot].used)
		close(slots[slot].fd);
	slots[slot] = (struct parked){ .used = true, .fd = fd };
}

static int slot_fd(uint32_t slot)
{
	return slots[slot].used ? slots[slot].fd : -1;
}

int set_propagation(const struct op_set_propagation *op)
{
	return sys_mount(NULL, op->path, NULL, MS_REC | op->flags, NULL) < 0 ? fail(op->path) : 0;
}

int open_tree(const struct op_open_tree *op)
{
	int fd = sys_open_tree(AT_FDCWD, op->path,
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (op->recursive ? AT_RECURSIVE : 0));

	if (fd < 0)
		return fail(op->path);
	put_slot(op->slot, fd);
	return 0;
}

int enter_stage(const struct op_enter_stage *op)
{
	TEXT(options, 1024);

	append(&options, "mode=755");
	const char *option = op->options.first;
	for (uint32_t index = 0; index < op->options.count; index++) {
		append(&options, ",");
		append(&options, option);
		option += strlen(option) + 1;
	}
	if (options.truncated)
		return fail_with(ENAMETOOLONG, op->path);
	/* After the mount, chdir(2) leads into it. */
	if (sys_mount("pycri", op->path, "tmpfs", MS_NOSUID | MS_NODEV, options.buffer) < 0 || chdir(op->path) < 0)
		return fail(op->path);
	int stage = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stage < 0)
		return fail(op->path);
	close_owned_fd(&anchors.stage);
	anchors.stage = stage;
	return 0;
}

int pivot_stage(void)
{
	if ((mkdirat(anchors.stage, "old", 0700) < 0 && errno != EEXIST) || fchdir(anchors.stage) < 0 ||
	    sys_pivot_root(".", "old") < 0 || chdir("/") < 0)
		return fail("/old");
	return 0;
}

int make_directory(const struct op_make_directory *op)
{
	struct stat status;

	OWNED_FD fd = open_or_create(op->anchor, op->path, true, op->mode);
	if (fd < 0 || fstat(fd, &status) < 0)
		return fail(op->path);
	return S_ISDIR(status.st_mode) ? 0 : fail_with(ENOTDIR, op->path);
}

int make_directory_like(const struct op_make_directory_like *op)
{
	struct stat like;
	const char *name;

	OWNED_FD model = open_path(op->anchor, op->like);
	if (model < 0 || fstat(model, &like) < 0)
		return fail(op->like);
	OWNED_FD parent = open_parent(op->anchor, op->path, &name);
	if (parent < 0)
		return fail(op->path);
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : fail(op->path);
	/* After the owner: chown(2) takes set-id bits away. */
	if (fchownat(parent, name, like.st_uid, like.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(parent, name, like.st_mode & 07777, 0) < 0)
		return fail(op->path);
	return 0;
}

int make_file(const struct op_make_file *op)
{
	OWNED_FD fd = open_or_create(op->anchor, op->path, false, op->mode);

	return fd < 0 ? fail(op->path) : 0;
}

int make_symlink(const struct op_make_symlink *op)
{
	const char *name;

	OWNED_FD parent = open_parent(op->anchor, op->path, &name);
	if (parent < 0 || (symlinkat(op->target, parent, name) < 0 && errno != EEXIST))
		return fail(op->path);
	return 0;
}

/* Records errno with the kernel's message about this mount if there is one ("e overlay: …"), or with `detail`. */
static int fail_mount(int fs, const char *detail)
{
	char message[DETAIL_LIMIT];
	int error = errno;

	ssize_t length = read(fs, message, sizeof(message) - 1);
	if (length <= 0)
		return fail_with(error, detail);
	while (length > 0 && message[length - 1] == '\n')
		length--;
	message[length] = '\0';
	const char *text = length > 2 && message[1] == ' ' ? message + 2 : message;
	return fail_with(error, text);
}

/* Hands "key=value" or "key" to fsconfig(2). */
static int configure(int fs, const char *option)
{
	TEXT(key, 256);
	const char *equals = strchr(option, '=');

	if (equals == NULL)
		return sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	append_bytes(&key, option, (size_t)(equals - option));
	if (key.truncated) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key.buffer, equals + 1, 0);
}

int mount_new(const struct op_mount *op)
{
	OWNED_FD fs = sys_fsopen(op->type, FSOPEN_CLOEXEC);

	if (fs < 0)
		return fail(op->type);
	if (*op->source != '\0' && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", op->source, 0) < 0)
		return fail_mount(fs, op->source);
	const char *option = op->options.first;
	for (uint32_t index = 0; index < op->options.count; index++) {
		if (configure(fs, option) < 0)
			return fail_mount(fs, option);
		option += strlen(option) + 1;
	}
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_mount(fs, op->type);
	int fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)op->attributes);
	if (fd < 0)
		return fail_mount(fs, op->type);
	put_slot(op->slot, fd);
	return 0;
}

static int change_attributes(int fd, uint64_t set, uint64_t clear, uint64_t propagation, uint32_t recursive)
{
	struct mount_attr attributes = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	/* The kernel wants the whole field of access-time modes cleared with any of them. */
	if ((set & MOUNT_ATTR__ATIME) != 0)
		attributes.attr_clr |= MOUNT_ATTR__ATIME;
	if (set == 0 && clear == 0 && propagation == 0)
		return 0;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes);
}

static int move_onto(int mount, int target)
{
	return sys_move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Moves the parked mount onto `target` the first time, a clone of it from then on: kernels before 6.15 do not clone a
 * detached mount. */
static int place(struct parked *parked, int target)
{
	if (!parked->attached) {
		if (move_onto(parked->fd, target) < 0)
			return -1;
		parked->attached = true;
		return 0;
	}
	OWNED_FD clone = sys_open_tree(parked->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return clone < 0 ? -1 : move_onto(clone, target);
}

int attach(const struct op_attach *op)
{
	struct stat mount, found;
	int fd = slot_fd(op->slot);

	if (fstat(fd, &mount) < 0)
		return fail(op->target);
	bool directory = S_ISDIR(mount.st_mode);
	OWNED_FD target = op->create == CREATE_MATCHING
				  ? open_or_create(op->anchor, op->target, directory, directory ? 0755 : 0644)
				  : open_path(op->anchor, op->target);
	if (target < 0 && op->create == CREATE_SKIP && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target < 0 || fstat(target, &found) < 0)
		return fail(op->target);
	if (S_ISDIR(found.st_mode) != directory)
		return fail_with(ENOTDIR, op->target);
	/* Before the mount becomes visible at its target. */
	if (change_attributes(fd, op->set, op->clear, op->propagation, op->recursive) < 0 || move_onto(fd, target) < 0)
		return fail(op->target);
	slots[op->slot].attached = true;
	return 0;
}

int set_mount_attributes(const struct op_set_mount_attributes *op)
{
	OWNED_FD fd = open_path(op->anchor, op->path);

	if (fd < 0 || change_attributes(fd, op->set, op->clear, op->propagation, op->recursive) < 0)
		return fail(op->path);
	return 0;
}

int open_root(const char *path)
{
	int fd = open_path(ANCHOR_STAGE, path);

	if (fd < 0)
		return fail(path);
	close_owned_fd(&anchors.root);
	anchors.root = fd;
	return 0;
}

static int make_empty_directory(void)
{
	OWNED_FD fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "555", 0) < 0 ||
	    sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
	    sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	int fd = sys_fsmount(fs, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return -1;
	empty_directory = (struct parked){ .used = true, .fd = fd };
	return 0;
}

int mask_path(const struct op_mask_path *op)
{
	struct stat status;

	OWNED_FD target = open_path(ANCHOR_ROOT, op->path);
	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(op->path);
	if (fstat(target, &status) < 0)
		return fail(op->path);
	bool directory = S_ISDIR(status.st_mode);
	if (directory && !empty_directory.used && make_empty_directory() < 0)
		return fail(op->path);
	struct parked *mask = directory ? &empty_directory : &slots[op->null_slot];
	if (!mask->used)
		return fail_with(EBADF, op->path);
	return place(mask, target) < 0 ? fail(op->path) : 0;
}

int read_only_path(const char *path)
{
	OWNED_FD target = open_path(ANCHOR_ROOT, path);

	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(path);
	OWNED_FD clone =
		sys_open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (clone < 0 || change_attributes(clone, MOUNT_ATTR_RDONLY, 0, 0, 1) < 0 || move_onto(clone, target) < 0)
		return fail(path);
	return 0;
}

int bind_descriptor(int fd, const char *path)
{
	OWNED_FD target = open_or_create(ANCHOR_ROOT, path, false, 0600);

	if (target < 0)
		return fail(path);
	OWNED_FD clone = sys_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return clone < 0 || move_onto(clone, target) < 0 ? fail(path) : 0;
}

/*
 * With "." as both arguments pivot_root(2) stacks the old root on the new one (pivot_root(2), NOTES), and one umount2(2)
 * detaches it with all that is mounted below: each umount costs a grace period of the kernel.
 */
int pivot_root(void)
{
	if (fchdir(anchors.root) < 0 || sys_pivot_root(".", ".") < 0 || sys_umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail("/");
	/* After this the stage is gone for good; what slots hold ends with close-on-exec. */
	close_owned_fd(&anchors.stage);
	anchors.stage = -1;
	return 0;
}
