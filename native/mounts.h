/*
 * The container's view of files: stage, detached mounts in slots, the root filesystem. All of it in the container half's
 * own mount namespace. Every function returns 0, or -1 with the failure recorded.
 */
#ifndef PYCRI_MOUNTS_H
#define PYCRI_MOUNTS_H

#include "generated/operations.h"

/* Parks a detached mount, closing what the slot held. */
void put_slot(uint32_t slot, int fd);

int set_propagation(const struct op_set_propagation *op);
int open_tree(const struct op_open_tree *op);
int enter_stage(const struct op_enter_stage *op);
int pivot_stage(void);
int make_directory(const struct op_make_directory *op);
int make_file(const struct op_make_file *op);
int make_directory_like(const struct op_make_directory_like *op);
int make_symlink(const struct op_make_symlink *op);
int mount_new(const struct op_mount *op);
int attach(const struct op_attach *op);
int set_mount_attributes(const struct op_set_mount_attributes *op);
int open_root(const char *path);
int mask_path(const struct op_mask_path *op);
int read_only_path(const char *path);
int pivot_root(void);

/* Binds the file behind a descriptor over `path` of the root, which is made if missing. */
int bind_descriptor(int fd, const char *path);

#endif
