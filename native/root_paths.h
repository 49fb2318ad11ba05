/*
 * Paths beneath an anchor. `stage` paths hold no symlinks (RESOLVE_NO_SYMLINKS): the stage is of our own making, and a
 * link in a container's root filesystem below it could lead to the host's at /old. `root` paths are resolved in the
 * container's root as its own processes would (RESOLVE_IN_ROOT), so that no link in them leads outside.
 */
#ifndef PYCRI_ROOT_PATHS_H
#define PYCRI_ROOT_PATHS_H

#include <stdbool.h>
#include <sys/types.h>

struct anchors {
	int stage; /* O_PATH of the stage's root; -1 before enterStage */
	int root;  /* O_PATH of the container's root; -1 before openRoot */
};

extern struct anchors anchors;

/* An O_PATH descriptor of `path` (ANCHOR_*), following links as its anchor allows. -1 and errno. */
int open_path(unsigned int anchor, const char *path);

/*
 * As open_path; what is missing is made first: parents as directories of mode 0755, the last component as a directory
 * (`directory`) or an empty file of mode `mode`. A link in the root that points to nothing yet gets its target.
 */
int open_or_create(unsigned int anchor, const char *path, bool directory, mode_t mode);

/* The directory of a path's last component, made if missing, and the component itself in `name`. -1 and errno. */
int open_parent(unsigned int anchor, const char *path, const char **name);

#endif
