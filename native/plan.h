/*
 * The launch plan as bytes in a sealed memfd: mapping, complete validation, iteration. Nothing of a plan is executed
 * before all of it has been checked; the seals keep it from changing afterwards.
 */
#ifndef PYCRI_PLAN_H
#define PYCRI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "generated/operations.h"

#define SECTION_COUNT 3

/* How deep an attempt may lie in the parts of others. */
#define ATTEMPT_DEPTH 4

struct section {
	uint32_t offset; /* of its first operation in the plan */
	uint32_t count;
};

struct plan {
	const uint8_t *bytes;
	uint32_t length;
	struct strings reporter;
	struct section sections[SECTION_COUNT];
};

/* Why a plan is refused. */
struct plan_fault {
	int section;  /* SECTION_* */
	int32_t index; /* of the operation; -1 when the fault is not in one */
	int error;    /* errno; `plan.c` lists them */
	const char *reason;
};

/* Maps the memfd `fd`, which must be sealed against every change. -1: `fault` says why. */
int plan_map(int fd, struct plan *plan, struct plan_fault *fault);

/* Validates all of plan->bytes and fills in the rest of `plan`. -1: `fault` says why. */
int plan_check(struct plan *plan, struct plan_fault *fault);

/* A position in a section of a checked plan. */
struct plan_cursor {
	const struct plan *plan;
	uint32_t offset;
	uint32_t index; /* of the operation that plan_next returns next */
	uint32_t count;
};

struct plan_cursor plan_begin(const struct plan *plan, int section);

/* Decodes the next operation; false at the end of the section. */
bool plan_next(struct plan_cursor *cursor, struct operation *operation);

/* Decodes operation `index` of a section; false when there is none. */
bool plan_operation(const struct plan *plan, int section, uint32_t index, struct operation *operation);

/*
 * The strings as a NULL-terminated vector with `extra` free places before the NULL. Lives until munmap(2) or execve(2).
 * NULL and errno when there is no memory.
 */
const char **strings_vector(const struct strings *strings, uint32_t extra);

/* The string after `string` in a struct strings. */
const char *string_after(const char *string);

#endif
