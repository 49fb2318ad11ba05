/*
 * libFuzzer target for the plan decoder: any bytes are checked, and a plan that is accepted is read to its end as monitor,
 * container half and clean-up do. The sanitizers watch for reads outside the input; the target itself for a plan that was
 * accepted and cannot be read.
 */
#include <stdlib.h>
#include <string.h>

#include "visit_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte that a field points to. */
static void touch(const struct field_description *field, const void *value, void *context)
{
	volatile size_t *sum = context;

	switch (field->type) {
	case FIELD_STRING:
		*sum += strlen(*(const char *const *)value);
		break;
	case FIELD_STRINGS: {
		const struct strings *strings = value;
		const char *string = strings->first;

		for (uint32_t index = 0; index < strings->count; index++) {
			*sum += strlen(string);
			string = string_after(string);
		}
		break;
	}
	case FIELD_U32S: {
		const struct u32s *list = value;

		for (uint32_t index = 0; index < list->count; index++)
			*sum += list->values[index];
		break;
	}
	case FIELD_BYTES: {
		const struct bytes *bytes = value;

		for (uint32_t index = 0; index < bytes->length; index++)
			*sum += bytes->data[index];
		break;
	}
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint32_t header[] = { PLAN_MAGIC, WIRE_VERSION, (uint32_t)size };
	struct plan plan = { .length = (uint32_t)size };
	struct plan_fault fault;
	struct operation operation;
	volatile size_t sum = 0;

	/* A copy of exactly this size; its header right, since guessing 96 bits teaches nothing. */
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	if (bytes == NULL)
		return 0;
	memcpy(bytes, data, size);
	if (size >= sizeof(header))
		memcpy(bytes, header, sizeof(header));
	plan.bytes = bytes;
	if (plan_check(&plan, &fault) == 0) {
		for (int section = 0; section < SECTION_COUNT; section++) {
			struct plan_cursor cursor = plan_begin(&plan, section);
			while (plan_next(&cursor, &operation))
				visit_fields(&operation, touch, (void *)(uintptr_t)&sum);
			if (cursor.index != plan.sections[section].count)
				abort();
		}
	} else if (fault.error == 0 || fault.reason == NULL) {
		abort();
	}
	free(bytes);
	return 0;
}
