/*
 * The failure record: the most recent failure of this process. Operations return 0 or -1 and leave here what the report
 * to TypeScript needs: the errno and what it is about.
 */
#ifndef PYCRI_FAILURE_H
#define PYCRI_FAILURE_H

/* Bytes of a detail with its NUL: a path, the end of a program's stderr, or the kernel's message about a mount. */
#define DETAIL_LIMIT 1024

struct failure {
	int error;
	char detail[DETAIL_LIMIT];
};

extern struct failure failure;

/* Records errno and what it is about ("" for nothing), cut to DETAIL_LIMIT. Returns -1. */
int fail(const char *detail);

/* Records an errno of our own choice. Returns -1. */
int fail_with(int error, const char *detail);

#endif
