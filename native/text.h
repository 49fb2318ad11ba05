/* Bounded text without stdio: decimals and appending to fixed buffers. */
#ifndef PYCRI_TEXT_H
#define PYCRI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A NUL-terminated text in a buffer of its owner. What does not fit is dropped and remembered in `truncated`. */
struct text {
	char *buffer;
	size_t capacity;
	size_t length;
	bool truncated;
};

/* Declares `name`, an empty text of at most `size` - 1 bytes. */
#define TEXT(name, size)                                                                                               \
	char name##_buffer[size];                                                                                      \
	name##_buffer[0] = '\0';                                                                                       \
	struct text name = { .buffer = name##_buffer, .capacity = (size) }

void append(struct text *text, const char *string);
void append_bytes(struct text *text, const char *bytes, size_t length);
void append_number(struct text *text, int64_t number);

/* The number a string of decimal digits stands for, up to INT32_MAX; -1 for anything else. */
int32_t parse_number(const char *string);

#endif
