/* Closing all descriptors but some. */
#include "descriptors.h"

#include "syscalls.h"

static void sort(int *numbers, unsigned int count)
{
	for (unsigned int index = 1; index < count; index++) {
		int number = numbers[index];
		unsigned int place = index;

		for (; place > 0 && numbers[place - 1] > number; place--)
			numbers[place] = numbers[place - 1];
		numbers[place] = number;
	}
}

int close_all_but(int *kept, unsigned int count)
{
	int first = 3;

	sort(kept, count);
	for (unsigned int index = 0; index < count; index++) {
		if (kept[index] < first)
			continue;
		if (kept[index] > first &&
		    sys_close_range((unsigned int)first, (unsigned int)kept[index] - 1, 0) < 0)
			return -1;
		first = kept[index] + 1;
	}
	return sys_close_range((unsigned int)first, ~0U, 0);
}
