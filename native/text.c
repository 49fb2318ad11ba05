/* Bounded text without stdio: decimals and appending to fixed buffers. */
#include "text.h"

#include <string.h>

void append_bytes(struct text *text, const char *bytes, size_t length)
{
	size_t room = text->capacity - text->length - 1;
	if (length > room) {
		text->truncated = true;
		length = room;
	}
	memcpy(text->buffer + text->length, bytes, length);
	text->length += length;
	text->buffer[text->length] = '\0';
}

void append(struct text *text, const char *string)
{
	append_bytes(text, string, strlen(string));
}

void append_number(struct text *text, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		digits[--at] = '-';
	append_bytes(text, digits + at, sizeof(digits) - at);
}

int32_t parse_number(const char *string)
{
	int64_t number = 0;

	if (*string == '\0')
		return -1;
	for (; *string != '\0'; string++) {
		if (*string < '0' || *string > '9')
			return -1;
		number = number * 10 + (*string - '0');
		if (number > INT32_MAX)
			return -1;
	}
	return (int32_t)number;
}
