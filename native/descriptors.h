/* The descriptors a helper was started with, and closing all others. */
#ifndef PYCRI_DESCRIPTORS_H
#define PYCRI_DESCRIPTORS_H

/* Locks that a helper may hold: those passed to it and those of holdLock. */
#define HELD_LIMIT 64

struct descriptors {
	int plan;
	int events; /* -1 for none */
	/* Kept open until the end of monitor and janitor, since closing would release the locks on them. */
	int held[HELD_LIMIT];
	unsigned int held_count;
};

/* Closes every descriptor from 3 on but those in `kept` (-1 is skipped), which is sorted on the way. -1 and errno. */
int close_all_but(int *kept, unsigned int count);

#endif
