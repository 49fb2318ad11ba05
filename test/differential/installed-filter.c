/*
 * installed-filter PID: writes the newest seccomp filter of a stopped process's stack to standard output, as the kernel
 * keeps it. PTRACE_SECCOMP_GET_FILTER needs CAP_SYS_ADMIN and a tracer without filters of its own, see ptrace(2).
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  static struct sock_filter program[BPF_MAXINSNS];
  if (argc != 2) return 2;
  pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) return fail("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0) return fail("PTRACE_INTERRUPT");
  if (waitpid(pid, NULL, __WALL) < 0) return fail("waitpid");
  long count = ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER, pid, NULL, program);
  if (count < 0) return fail("PTRACE_SECCOMP_GET_FILTER");
  if (fwrite(program, sizeof(program[0]), (size_t)count, stdout) != (size_t)count) return fail("fwrite");
  return 0;
}
