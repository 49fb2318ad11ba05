/*
 * decode-plan FILE: prints what plan.c makes of a plan's bytes, for the contract tests to compare with what encode.ts was
 * given. A checked plan: a line for the reporter and one per operation, "<section> <name> <field>=<value>…", strings in
 * hexadecimal. A refused one: "refused <section> <index> <errno> <reason>".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "visit_fields.h"

static void print_hex(const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t index = 0; index < length; index++)
		printf("%02x", bytes[index]);
}

static void print_strings(const struct strings *strings)
{
	const char *string = strings->first;

	for (uint32_t index = 0; index < strings->count; index++) {
		printf(index == 0 ? "" : ",");
		print_hex(string, strlen(string));
		string = string_after(string);
	}
}

static void print_value(int type, const void *value)
{
	switch (type) {
	case FIELD_I32:
		printf("%" PRId32, *(const int32_t *)value);
		break;
	case FIELD_U64:
		printf("%" PRIu64, *(const uint64_t *)value);
		break;
	case FIELD_I64:
		printf("%" PRId64, *(const int64_t *)value);
		break;
	case FIELD_STRING:
		print_hex(*(const char *const *)value, strlen(*(const char *const *)value));
		break;
	case FIELD_STRINGS:
		print_strings(value);
		break;
	case FIELD_U32S: {
		const struct u32s *list = value;

		for (uint32_t index = 0; index < list->count; index++)
			printf(index == 0 ? "%" PRIu32 : ",%" PRIu32, list->values[index]);
		break;
	}
	case FIELD_BYTES:
		print_hex(((const struct bytes *)value)->data, ((const struct bytes *)value)->length);
		break;
	default:
		printf("%" PRIu32, *(const uint32_t *)value);
		break;
	}
}

static void print_field(const struct field_description *field, const void *value, void *context)
{
	(void)context;
	printf(" %s=", field->name);
	print_value(field->type, value);
}

/* The name follows from the code alone, so that it is looked up without printing. */
static void print_nothing(const struct field_description *field, const void *value, void *context)
{
	(void)field;
	(void)value;
	(void)context;
}

static void print_operation(int section, const struct operation *operation)
{
	printf("%d %s", section, visit_fields(operation, print_nothing, NULL));
	visit_fields(operation, print_field, NULL);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct plan plan = { 0 };
	struct plan_fault fault;
	struct operation operation;
	struct stat status;

	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	if (fd < 0 || fstat(fd, &status) < 0) {
		perror("decode-plan");
		return 2;
	}
	plan.length = (uint32_t)status.st_size;
	/* A private copy of exactly this length, so that a sanitizer sees a read beyond it. */
	unsigned char *bytes = malloc(plan.length > 0 ? plan.length : 1);
	if (bytes == NULL || read(fd, bytes, plan.length) != (ssize_t)plan.length) {
		perror("decode-plan");
		return 2;
	}
	plan.bytes = bytes;
	if (plan_check(&plan, &fault) < 0) {
		printf("refused %d %" PRId32 " %d %s\n", fault.section, fault.index, fault.error, fault.reason);
		return 1;
	}
	printf("reporter ");
	print_strings(&plan.reporter);
	printf("\n");
	for (int section = 0; section < SECTION_COUNT; section++) {
		struct plan_cursor cursor = plan_begin(&plan, section);
		while (plan_next(&cursor, &operation))
			print_operation(section, &operation);
	}
	return 0;
}
