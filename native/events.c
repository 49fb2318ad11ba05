/* Event records to the caller. Each is one write(2) of less than PIPE_BUF bytes, so that records never mix. */
#include "events.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "generated/operations.h"
#include "text.h"

struct record {
	uint32_t length;
	uint32_t kind;
	int32_t a;
	int32_t b;
	int32_t c;
	char detail[DETAIL_LIMIT];
};

static void write_record(int events, struct record *record, const char *detail)
{
	size_t length = strlen(detail);

	if (events < 0)
		return;
	memcpy(record->detail, detail, length);
	record->length = (uint32_t)(offsetof(struct record, detail) + length);
	/* The reader may have gone; the container's life does not depend on it. */
	ssize_t ignored __attribute__((unused)) = write(events, record, record->length);
}

void event_started(int events, pid_t pid)
{
	write_record(events, &(struct record){ .kind = EVENT_STARTED, .a = pid }, "");
}

void event_exited(int events, int code, int signal)
{
	write_record(events, &(struct record){ .kind = EVENT_EXITED, .a = code, .b = signal }, "");
}

void event_counter(int events, uint32_t index, uint64_t value)
{
	TEXT(number, 24);

	append_number(&number, (int64_t)value);
	write_record(events, &(struct record){ .kind = EVENT_COUNTER, .b = (int32_t)index }, number.buffer);
}

void event_failure(int events, uint32_t kind, int section, int32_t index, const struct failure *cause)
{
	struct record record = { .kind = kind, .a = section, .b = index, .c = cause->error };

	write_record(events, &record, cause->detail);
}
