/*
 * The launch plan as bytes in a sealed memfd: mapping, complete validation, iteration.
 *
 * Errors of a refused plan: EPERM not sealed; ENOEXEC no plan; EPROTONOSUPPORT made for another helper; EBADMSG bytes
 * that do not add up; EILSEQ a string with a NUL inside or none at its end; EOPNOTSUPP an unknown operation; ERANGE a
 * slot, flag, anchor or create out of range; EINVAL an operation where it must not stand.
 */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Far above what the kernel accepts as arguments and environment (ARG_MAX), and below what an offset can count. */
#define PLAN_LIMIT (64u << 20)

#define ALIGNED(length) (((length) + 3u) & ~3u)

struct field_layout {
	uint8_t type;
	uint8_t offset;
};

struct operation_layout {
	bool known;
	uint8_t section;
	uint8_t fields;
	uint16_t first_field;
};

#define FIELD_ROW(operation_name, field, type, name) { type, offsetof(struct op_##operation_name, field) },
static const struct field_layout field_layouts[] = { OPERATION_FIELDS(FIELD_ROW) };

#define CODE_LIMIT 256

/* Where an operation's fields begin in field_layouts: the sum of the counts before it, computed by the compiler. */
#define FIRST_FIELD_MEMBER(code, section, fields, name) char member_##code[(fields) + 1];
struct first_fields {
	OPERATIONS(FIRST_FIELD_MEMBER)
};
#define ORDINAL(code, section, fields, name) ORDINAL_##code,
enum { OPERATIONS(ORDINAL) };
#define OPERATION_ROW(code, section, fields, name)                                                                     \
	[code] = { true, section, fields, offsetof(struct first_fields, member_##code) - ORDINAL_##code },
static const struct operation_layout operation_layouts[CODE_LIMIT] = { OPERATIONS(OPERATION_ROW) };

#define CODE_FITS(code, section, fields, name) _Static_assert((code) > 0 && (code) < CODE_LIMIT, name);
OPERATIONS(CODE_FITS)
_Static_assert(sizeof(struct operation) < 256, "field offsets fit into a byte");

/* What remains to be read; `error` and `reason` say what went wrong first. */
struct reader {
	const uint8_t *at;
	uint32_t left;
	int error;
	const char *reason;
};

static bool refuse(struct reader *reader, int error, const char *reason)
{
	reader->error = error;
	reader->reason = reason;
	return false;
}

static bool take(struct reader *reader, uint32_t length, const uint8_t **taken)
{
	if (length > reader->left)
		return refuse(reader, EBADMSG, "a field ends after its operation");
	*taken = reader->at;
	reader->at += length;
	reader->left -= length;
	return true;
}

static bool take_u32(struct reader *reader, uint32_t *value)
{
	const uint8_t *bytes;

	if (!take(reader, sizeof(*value), &bytes))
		return false;
	memcpy(value, bytes, sizeof(*value));
	return true;
}

/* Takes `length` bytes and the zeroes that align what follows. */
static bool take_padded(struct reader *reader, uint32_t length, const uint8_t **taken)
{
	if (length > reader->left || ALIGNED(length) > reader->left)
		return refuse(reader, EBADMSG, "a field ends after its operation");
	for (uint32_t index = length; index < ALIGNED(length); index++) {
		if (reader->at[index] != 0)
			return refuse(reader, EBADMSG, "padding is not zero");
	}
	return take(reader, ALIGNED(length), taken);
}

static bool take_string(struct reader *reader, const char **string)
{
	uint32_t length;
	const uint8_t *bytes;

	if (!take_u32(reader, &length))
		return false;
	if (length >= reader->left)
		return refuse(reader, EBADMSG, "a string ends after its operation");
	if (!take_padded(reader, length + 1, &bytes))
		return false;
	if (memchr(bytes, 0, length + 1) != bytes + length)
		return refuse(reader, EILSEQ, "a string has a NUL inside or none at its end");
	*string = (const char *)bytes;
	return true;
}

static bool take_strings(struct reader *reader, struct strings *strings)
{
	const uint8_t *bytes;
	uint32_t found = 0;

	if (!take_u32(reader, &strings->count) || !take_u32(reader, &strings->length) ||
	    !take_padded(reader, strings->length, &bytes))
		return false;
	for (uint32_t index = 0; index < strings->length; index++)
		found += bytes[index] == 0;
	if (found != strings->count || (strings->length > 0 && bytes[strings->length - 1] != 0))
		return refuse(reader, EILSEQ, "a list of strings has another number of NULs");
	strings->first = (const char *)bytes;
	return true;
}

static bool take_below(struct reader *reader, uint32_t limit, uint32_t *value, const char *reason)
{
	if (!take_u32(reader, value))
		return false;
	return *value < limit || refuse(reader, ERANGE, reason);
}

static bool take_field(struct reader *reader, int type, void *field)
{
	const uint8_t *bytes;

	switch (type) {
	case FIELD_U32:
	case FIELD_I32:
		return take_u32(reader, field);
	case FIELD_U64:
	case FIELD_I64:
		if (!take(reader, sizeof(uint64_t), &bytes))
			return false;
		memcpy(field, bytes, sizeof(uint64_t));
		return true;
	case FIELD_FLAG:
		return take_below(reader, 2, field, "a flag is neither 0 nor 1");
	case FIELD_SLOT:
		return take_below(reader, SLOT_LIMIT, field, "a slot is out of range");
	case FIELD_ANCHOR:
		return take_below(reader, ANCHOR_LIMIT, field, "an anchor is out of range");
	case FIELD_CREATE:
		return take_below(reader, CREATE_LIMIT, field, "a way to create is out of range");
	case FIELD_STRING:
		return take_string(reader, field);
	case FIELD_STRINGS:
		return take_strings(reader, field);
	case FIELD_U32S: {
		struct u32s *list = field;

		if (!take_u32(reader, &list->count))
			return false;
		if (list->count > reader->left / sizeof(uint32_t))
			return refuse(reader, EBADMSG, "a list ends after its operation");
		if (!take(reader, list->count * (uint32_t)sizeof(uint32_t), &bytes))
			return false;
		/* Every field is a multiple of 4 bytes, so the list is aligned in the mapping. */
		list->values = (const uint32_t *)(const void *)bytes;
		return true;
	}
	case FIELD_BYTES: {
		struct bytes *opaque = field;

		return take_u32(reader, &opaque->length) && take_padded(reader, opaque->length, &opaque->data);
	}
	default:
		return refuse(reader, EBADMSG, "an unknown field type");
	}
}

/* Reads one operation with its header. */
static bool take_operation(struct reader *reader, struct operation *operation)
{
	uint16_t head[2];
	uint32_t length;
	const uint8_t *bytes;

	memset(operation, 0, sizeof(*operation));
	if (!take(reader, sizeof(head), &bytes))
		return refuse(reader, EBADMSG, "an operation is missing");
	memcpy(head, bytes, sizeof(head));
	if (!take_u32(reader, &length) || length > reader->left)
		return refuse(reader, EBADMSG, "an operation ends after the plan");
	if (head[0] >= CODE_LIMIT || !operation_layouts[head[0]].known)
		return refuse(reader, EOPNOTSUPP, "an unknown operation");
	if (head[1] != 0 || length % 4 != 0)
		return refuse(reader, EBADMSG, "an operation's header is malformed");

	const struct operation_layout *layout = &operation_layouts[head[0]];
	struct reader payload = { .at = reader->at, .left = length };
	operation->code = head[0];
	for (unsigned int index = 0; index < layout->fields; index++) {
		const struct field_layout *field = &field_layouts[layout->first_field + index];
		/* Every member of the union begins where `clone` does. */
		if (!take_field(&payload, field->type, (uint8_t *)&operation->clone + field->offset))
			return refuse(reader, payload.error, payload.reason);
	}
	if (payload.left > 0)
		return refuse(reader, EBADMSG, "an operation has bytes after its last field");
	return take(reader, length, &bytes);
}

/* What has been seen of the monitor's list, to judge what may follow. */
struct monitor_order {
	bool cloned;
	bool janitor;
	bool released;
	bool supervised;
};

static const char *misplaced_in_monitor(struct monitor_order *seen, uint32_t code)
{
	switch (code) {
	case OP_CLONE:
		if (seen->cloned)
			return "a second clone";
		seen->cloned = true;
		return NULL;
	case OP_SPAWN_JANITOR:
		if (seen->released || seen->janitor)
			return "spawnJanitor stands after release, or twice";
		seen->janitor = true;
		return NULL;
	case OP_WRITE_CHILD_PROC:
	case OP_RUN_ID_MAP_TOOLS:
	case OP_OPEN_TREE_IDMAPPED:
		return seen->cloned && !seen->released ? NULL : "the operation stands outside clone and release";
	case OP_WRITE_CHILD_PID:
		return seen->cloned && !seen->supervised ? NULL : "the operation stands outside clone and supervise";
	case OP_RELEASE:
		if (!seen->cloned || seen->released)
			return "release stands before clone, or twice";
		seen->released = true;
		return NULL;
	case OP_SUPERVISE:
		if (!seen->released || seen->supervised)
			return "supervise stands before release, or twice";
		seen->supervised = true;
		return NULL;
	default:
		return NULL;
	}
}

static const char *misplaced_in_cleanup(uint32_t code)
{
	switch (code) {
	case OP_REMOVE_HOST_FILE:
	case OP_REMOVE_HOST_TREE:
	case OP_REMOVE_CGROUP:
	case OP_KILL_CGROUP:
	case OP_WRITE_KERNEL_FILE:
	case OP_WRITE_HOST_FILE:
		return NULL;
	default:
		return "the operation is none of clean-up";
	}
}

static bool is_filter(const struct bytes *program)
{
	return program->length % sizeof(struct sock_filter) == 0 &&
	       program->length / sizeof(struct sock_filter) <= BPF_MAXINSNS;
}

/* The attempts around the operation at hand, the innermost last: where their parts end. */
struct attempt_stack {
	uint32_t depth;
	struct {
		uint32_t first_end;
		uint32_t end;
	} attempts[ATTEMPT_DEPTH];
};

static const char *misplaced_in_container(struct attempt_stack *stack, const struct operation *operation,
					  uint32_t index, uint32_t count)
{
	while (stack->depth > 0 && stack->attempts[stack->depth - 1].end <= index)
		stack->depth--;
	bool last = index + 1 == count;
	switch (operation->code) {
	case OP_ATTEMPT: {
		/* The last operation of the list is `execute`, so that a part ends before it. */
		uint32_t end = count - 1;

		if (stack->depth > 0) {
			uint32_t first_end = stack->attempts[stack->depth - 1].first_end;
			end = index < first_end ? first_end : stack->attempts[stack->depth - 1].end;
		}
		if (stack->depth == ATTEMPT_DEPTH)
			return "attempts nest too deep";
		uint64_t first_end = (uint64_t)index + 1 + operation->attempt.first;
		if (first_end + operation->attempt.otherwise > end)
			return "an attempt runs past the end";
		stack->attempts[stack->depth].first_end = (uint32_t)first_end;
		stack->attempts[stack->depth].end = (uint32_t)first_end + operation->attempt.otherwise;
		stack->depth++;
		return NULL;
	}
	case OP_FORK_INIT:
		if (stack->depth > 0)
			return "forkInit stands in an attempt";
		return is_filter(&operation->fork_init.program) ? NULL : "not a filter program";
	case OP_LOAD_SECCOMP:
		return operation->load_seccomp.program.length > 0 && is_filter(&operation->load_seccomp.program)
			       ? NULL
			       : "not a filter program";
	case OP_EXECUTE:
		if (operation->execute.candidates.count == 0 || operation->execute.arguments.count == 0)
			return "execute without a command";
		return last ? NULL : "execute is not the last operation";
	default:
		return last ? "the last operation is not execute" : NULL;
	}
}

static bool check_section(struct reader *reader, const struct plan *plan, int section, struct plan_fault *fault)
{
	struct monitor_order order = { 0 };
	struct attempt_stack stack = { 0 };
	uint32_t count = plan->sections[section].count;

	for (uint32_t index = 0; index < count; index++) {
		struct operation operation;
		const char *misplaced;

		fault->index = (int32_t)index;
		if (!take_operation(reader, &operation))
			return false;
		bool container = section == SECTION_CONTAINER;
		if ((operation_layouts[operation.code].section == SECTION_CONTAINER) != container)
			return refuse(reader, EINVAL, "an operation of the other half");
		if (container)
			misplaced = misplaced_in_container(&stack, &operation, index, count);
		else if (section == SECTION_MONITOR)
			misplaced = misplaced_in_monitor(&order, operation.code);
		else
			misplaced = misplaced_in_cleanup(operation.code);
		if (misplaced != NULL)
			return refuse(reader, EINVAL, misplaced);
	}
	fault->index = -1;
	if (section == SECTION_MONITOR && !order.supervised)
		return refuse(reader, EINVAL, "clone, release or supervise is missing");
	if (section == SECTION_CONTAINER && count == 0)
		return refuse(reader, EINVAL, "execute is missing");
	return true;
}

static bool check_plan(struct reader *reader, struct plan *plan, struct plan_fault *fault)
{
	uint32_t magic, version, length;

	if (!take_u32(reader, &magic) || magic != PLAN_MAGIC)
		return refuse(reader, ENOEXEC, "not a launch plan");
	if (!take_u32(reader, &version) || version != WIRE_VERSION)
		return refuse(reader, EPROTONOSUPPORT, "the plan was made for another version of the helper");
	if (!take_u32(reader, &length) || length != plan->length)
		return refuse(reader, EBADMSG, "the plan has another length than it says");
	for (int section = 0; section < SECTION_COUNT; section++) {
		if (!take_u32(reader, &plan->sections[section].count))
			return false;
	}
	if (!take_strings(reader, &plan->reporter))
		return false;
	for (int section = 0; section < SECTION_COUNT; section++) {
		fault->section = section;
		plan->sections[section].offset = (uint32_t)(reader->at - plan->bytes);
		if (!check_section(reader, plan, section, fault))
			return false;
	}
	return reader->left == 0 || refuse(reader, EBADMSG, "the plan has bytes after its last operation");
}

int plan_check(struct plan *plan, struct plan_fault *fault)
{
	struct reader reader = { .at = plan->bytes, .left = plan->length };

	*fault = (struct plan_fault){ .section = SECTION_MONITOR, .index = -1 };
	plan->reporter = (struct strings){ 0 };
	if (check_plan(&reader, plan, fault))
		return 0;
	fault->error = reader.error;
	fault->reason = reader.reason;
	return -1;
}

static int map_fault(struct plan_fault *fault, int error, const char *reason)
{
	*fault = (struct plan_fault){ .section = SECTION_MONITOR, .index = -1, .error = error, .reason = reason };
	return -1;
}

int plan_map(int fd, struct plan *plan, struct plan_fault *fault)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat status;

	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & wanted) != wanted)
		return map_fault(fault, EPERM, "the plan is not a sealed memfd");
	if (fstat(fd, &status) < 0)
		return map_fault(fault, errno, "the plan cannot be examined");
	if (status.st_size <= 0 || status.st_size > PLAN_LIMIT)
		return map_fault(fault, EBADMSG, "the plan is empty or too large");
	void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (bytes == MAP_FAILED)
		return map_fault(fault, errno, "the plan cannot be mapped");
	plan->bytes = bytes;
	plan->length = (uint32_t)status.st_size;
	return 0;
}

struct plan_cursor plan_begin(const struct plan *plan, int section)
{
	return (struct plan_cursor){
		.plan = plan,
		.offset = plan->sections[section].offset,
		.count = plan->sections[section].count,
	};
}

bool plan_next(struct plan_cursor *cursor, struct operation *operation)
{
	const struct plan *plan = cursor->plan;

	if (cursor->index == cursor->count)
		return false;
	struct reader reader = { .at = plan->bytes + cursor->offset, .left = plan->length - cursor->offset };
	if (!take_operation(&reader, operation))
		return false;
	cursor->offset = (uint32_t)(reader.at - plan->bytes);
	cursor->index++;
	return true;
}

bool plan_operation(const struct plan *plan, int section, uint32_t index, struct operation *operation)
{
	struct plan_cursor cursor = plan_begin(plan, section);

	while (plan_next(&cursor, operation)) {
		if (cursor.index == index + 1)
			return true;
	}
	return false;
}

const char *string_after(const char *string)
{
	return string + strlen(string) + 1;
}

const char **strings_vector(const struct strings *strings, uint32_t extra)
{
	size_t places = (size_t)strings->count + extra + 1;
	const char **vector =
		mmap(NULL, places * sizeof(*vector), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (vector == MAP_FAILED)
		return NULL;
	const char *string = strings->first;
	for (uint32_t index = 0; index < strings->count; index++) {
		vector[index] = string;
		string = string_after(string);
	}
	return vector;
}
