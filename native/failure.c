/* The failure record: the most recent failure of this process. */
#include "failure.h"

#include <errno.h>

#include "text.h"

struct failure failure;

int fail_with(int error, const char *detail)
{
	struct text text = { .buffer = failure.detail, .capacity = sizeof(failure.detail) };

	failure.error = error;
	append(&text, detail);
	return -1;
}

int fail(const char *detail)
{
	return fail_with(errno, detail);
}
