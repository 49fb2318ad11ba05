/* Walks the fields of a decoded operation by the generated tables, independently of the decoder's own. */
#ifndef PYCRI_VISIT_FIELDS_H
#define PYCRI_VISIT_FIELDS_H

#include <stddef.h>

#include "../plan.h"

struct field_description {
	const char *name;
	int type;
	size_t offset;
};

struct operation_description {
	uint32_t code;
	unsigned int fields;
	const char *name;
};

#define FIELD_DESCRIPTION(operation, field, type, name) { name, type, offsetof(struct op_##operation, field) },
static const struct field_description field_descriptions[] = { OPERATION_FIELDS(FIELD_DESCRIPTION) };

#define OPERATION_DESCRIPTION(code, section, count, name) { code, count, name },
static const struct operation_description operation_descriptions[] = { OPERATIONS(OPERATION_DESCRIPTION) };

typedef void visit_field(const struct field_description *field, const void *value, void *context);

/* Calls `visit` for each field. Returns the operation's name, or NULL for an unknown code. */
static inline const char *visit_fields(const struct operation *operation, visit_field *visit, void *context)
{
	const struct field_description *field = field_descriptions;

	for (size_t row = 0; row < sizeof(operation_descriptions) / sizeof(operation_descriptions[0]); row++) {
		const struct operation_description *description = &operation_descriptions[row];

		if (description->code == operation->code) {
			for (unsigned int index = 0; index < description->fields; index++)
				visit(&field[index], (const char *)&operation->clone + field[index].offset, context);
			return description->name;
		}
		field += description->fields;
	}
	return NULL;
}

#endif
