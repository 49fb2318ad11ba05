/*
 * What filters cost in the kernel: `kernel ROUNDS LOOPS CALL ARGUMENT FILE…` where each FILE is a raw struct
 * sock_filter[], "none" for no filter. In each round every file is tried once, in a process of its own and in an order drawn
 * anew, so that load, and what the one before leaves in the caches, hit all alike. One line a try: index of the file, nanoseconds to attach, nanoseconds a call of getppid(2), nanoseconds a call
 * of CALL with ARGUMENT.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double per_call(long loops, long number, unsigned long argument) {
  double begin = now();
  for (long i = 0; i < loops; i++) syscall(number, argument);
  return (now() - begin) / loops;
}

static void attempt(int index, const char *path, long loops, long number, unsigned long argument) {
  static struct sock_filter instructions[4096];
  struct sock_fprog program = {.filter = instructions};
  double attach = 0;
  if (strcmp(path, "none") != 0) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail(path);
    program.len = (unsigned short)fread(instructions, sizeof(instructions[0]), 4096, file);
    fclose(file);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
    double begin = now();
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0) fail("seccomp");
    attach = now() - begin;
  }
  double constant = per_call(loops, SYS_getppid, 0);
  double checked = per_call(loops, number, argument);
  printf("%d %.0f %.2f %.2f\n", index, attach, constant, checked);
  fflush(stdout);
  _exit(0);
}

int main(int count, char **words) {
  if (count < 6) return 64;
  int rounds = atoi(words[1]);
  int files = count - 5;
  int order[files];
  for (int at = 0; at < files; at++) order[at] = at;
  for (int round = 0; round < rounds; round++) {
    for (int at = files - 1; at > 0; at--) {
      int other = (int)(random() % (at + 1));
      int swapped = order[at];
      order[at] = order[other];
      order[other] = swapped;
    }
    for (int at = 0; at < files; at++) {
      int index = order[at];
      pid_t child = fork();
      if (child < 0) fail("fork");
      if (child == 0) attempt(index, words[5 + index], atol(words[2]), atol(words[3]), strtoul(words[4], NULL, 0));
      int status;
      if (waitpid(child, &status, 0) != child || status != 0) return 1;
    }
  }
  return 0;
}
