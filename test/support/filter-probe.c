/*
 * Loads a seccomp filter and makes single calls under it: `filter-probe FILE` where FILE is a raw struct sock_filter[], or
 * "none" for no filter at all. Each line of standard input is `NUMBER A0 A1 A2 A3 A4 A5`; each line of output is what
 * became of the call:
 *
 *     value N     it returned N, which is not negative
 *     errno N     it failed with N; a call that was notified about fails with EOWNERDEAD
 *     trap N      SIGSYS came, with N as si_errno, which is the data of SECCOMP_RET_TRAP
 *     signal N    the caller was killed
 *
 * Every call has a process of its own. That process shares the table of descriptors with this one, which answers its
 * notifications: before any call, the listener's number comes through a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_INSTRUCTIONS 4096

struct report {
  enum { LISTENER, VALUE, FAILURE, TRAPPED } kind;
  long number;
};

static struct sock_filter instructions[MAX_INSTRUCTIONS];
static struct sock_fprog program = {.filter = instructions};

static volatile sig_atomic_t trapped;
static volatile sig_atomic_t trap_data;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  trapped = 1;
  trap_data = info->si_errno;
}

static void send_report(int pipe_end, int kind, long number) {
  struct report report = {.kind = kind, .number = number};
  if (write(pipe_end, &report, sizeof(report)) != sizeof(report)) _exit(2);
}

static void act(int pipe_end, const uint64_t call[7]) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  if (sigaction(SIGSYS, &action, NULL) != 0) _exit(3);
  long listener = -1;
  if (program.len > 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(4);
    listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) _exit(5);
  }
  send_report(pipe_end, LISTENER, listener);
  long result = syscall((long)call[0], call[1], call[2], call[3], call[4], call[5], call[6]);
  int error = errno;
  if (trapped) send_report(pipe_end, TRAPPED, trap_data);
  else if (result == -1) send_report(pipe_end, FAILURE, error);
  else send_report(pipe_end, VALUE, result);
  _exit(0);
}

static void answer(int listener) {
  struct seccomp_notif request = {0};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return;
  struct seccomp_notif_resp response = {.id = request.id, .error = -EOWNERDEAD};
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void try_call(const uint64_t call[7]) {
  int ends[2];
  if (pipe(ends) != 0) fail("pipe");
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child < 0) fail("clone");
  if (child == 0) act(ends[1], call);
  int ended = (int)syscall(SYS_pidfd_open, child, 0);
  if (ended < 0) fail("pidfd_open");
  int listener = -1;
  struct report outcome = {.kind = LISTENER};
  while (1) {
    struct pollfd waiting[3] = {
        {.fd = ends[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
    if (poll(waiting, 3, -1) < 0) fail("poll");
    if (waiting[0].revents & POLLIN) {
      struct report report;
      if (read(ends[0], &report, sizeof(report)) != sizeof(report)) fail("read");
      if (report.kind == LISTENER) listener = (int)report.number;
      else outcome = report;
    } else if (waiting[1].revents & POLLIN) {
      answer(listener);
    } else if (waiting[2].revents & POLLIN) {
      break;
    }
  }
  int status;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0) printf("broken %d\n", WEXITSTATUS(status));
  else printf("%s %ld\n", outcome.kind == VALUE ? "value" : outcome.kind == FAILURE ? "errno" : "trap", outcome.number);
  close(ends[0]);
  close(ends[1]);
  close(ended);
  if (listener >= 0) close(listener);
}

int main(int count, char **words) {
  if (count != 2) return 64;
  if (strcmp(words[1], "none") != 0) {
    FILE *file = fopen(words[1], "rb");
    if (file == NULL) fail(words[1]);
    program.len = (unsigned short)fread(instructions, sizeof(instructions[0]), MAX_INSTRUCTIONS, file);
    fclose(file);
    if (program.len == 0) return 65;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  uint64_t call[7];
  while (scanf("%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &call[0], &call[1],
               &call[2], &call[3], &call[4], &call[5], &call[6]) == 7)
    try_call(call);
  return 0;
}
