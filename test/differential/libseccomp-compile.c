/*
 * Compiles a profile with libseccomp the way runc does, so that tests can compare the two programs. Reads from standard
 * input, one item a line:
 *
 *     default ACTION                      SECCOMP_RET_* value
 *     arch NAME                           libseccomp's name; the first replaces the native one
 *     optimize LEVEL                      SCMP_FLTATR_CTL_OPTIMIZE
 *     rule ACTION NAME [INDEX OP A B]...  OP is one of ne lt le eq ge gt masked; for masked A is the mask, B the datum
 *     clock                               first of all: the microseconds until the program is written go to standard error
 *     name ARCH NUMBER                    prints the call's name or "-", without making a filter
 *     token ARCH                          prints its SCMP_ARCH_*, likewise
 *
 * Writes the program to standard output, and names that libseccomp does not know to standard error.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_COMPARISONS 6
#define WIDEST_LINE 4096

static const struct {
  const char *name;
  enum scmp_compare operator;
} operators[] = {
    {"ne", SCMP_CMP_NE}, {"lt", SCMP_CMP_LT}, {"le", SCMP_CMP_LE},         {"eq", SCMP_CMP_EQ},
    {"ge", SCMP_CMP_GE}, {"gt", SCMP_CMP_GT}, {"masked", SCMP_CMP_MASKED_EQ},
};

static void fail(const char *what, int error) {
  fprintf(stderr, "fail %s: %s\n", what, strerror(error < 0 ? -error : error));
  exit(1);
}

static uint32_t token_of(const char *name) {
  uint32_t token = seccomp_arch_resolve_name(name);
  if (token == 0) fail(name, EINVAL);
  return token;
}

static enum scmp_compare operator_of(const char *name) {
  for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
    if (strcmp(operators[i].name, name) == 0) return operators[i].operator;
  fail(name, EINVAL);
  return _SCMP_CMP_MIN;
}

/* libcontainer/seccomp/seccomp_linux.go, matchCall: an index that occurs twice makes every comparison a rule. */
static void add_rule(scmp_filter_ctx context, uint32_t action, int number, unsigned int count,
                     const struct scmp_arg_cmp *comparisons) {
  bool seen[MAX_COMPARISONS] = {false};
  bool split = false;
  for (unsigned int i = 0; i < count; i++) {
    split = split || seen[comparisons[i].arg];
    seen[comparisons[i].arg] = true;
  }
  int result = 0;
  if (!split) {
    result = seccomp_rule_add_array(context, action, number, count, comparisons);
  } else {
    for (unsigned int i = 0; i < count && result == 0; i++)
      result = seccomp_rule_add_array(context, action, number, 1, &comparisons[i]);
  }
  if (result < 0) fail("rule", result);
}

static void read_rule(scmp_filter_ctx context, uint32_t default_action, char *rest) {
  char *state = NULL;
  const char *action_text = strtok_r(rest, " \n", &state);
  const char *name = strtok_r(NULL, " \n", &state);
  if (action_text == NULL || name == NULL) fail("rule", EINVAL);
  uint32_t action = (uint32_t)strtoul(action_text, NULL, 0);
  struct scmp_arg_cmp comparisons[64];
  unsigned int count = 0;
  for (const char *index = strtok_r(NULL, " \n", &state); index != NULL; index = strtok_r(NULL, " \n", &state)) {
    const char *operator= strtok_r(NULL, " \n", &state);
    const char *first = strtok_r(NULL, " \n", &state);
    const char *second = strtok_r(NULL, " \n", &state);
    if (second == NULL || count == sizeof(comparisons) / sizeof(comparisons[0])) fail("comparison", EINVAL);
    comparisons[count++] = (struct scmp_arg_cmp){
        .arg = (unsigned int)strtoul(index, NULL, 0),
        .op = operator_of(operator),
        .datum_a = strtoull(first, NULL, 0),
        .datum_b = strtoull(second, NULL, 0),
    };
  }
  if (action == default_action) return;
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    fprintf(stderr, "unknown %s\n", name);
    return;
  }
  add_rule(context, action, number, count, comparisons);
}

static uint64_t microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int main(void) {
  static char line[WIDEST_LINE];
  scmp_filter_ctx context = NULL;
  uint32_t default_action = 0;
  bool native = true;
  uint64_t began = 0;
  while (fgets(line, sizeof(line), stdin) != NULL) {
    char *state = NULL;
    const char *word = strtok_r(line, " \n", &state);
    char *rest = state;
    if (word == NULL) continue;
    if (strcmp(word, "name") == 0) {
      uint32_t token = token_of(strtok_r(NULL, " \n", &state));
      char *name = seccomp_syscall_resolve_num_arch(token, (int)strtoul(state, NULL, 0));
      puts(name == NULL ? "-" : name);
      free(name);
      continue;
    }
    if (strcmp(word, "clock") == 0) {
      began = microseconds();
      continue;
    }
    if (strcmp(word, "token") == 0) {
      printf("%" PRIu32 "\n", token_of(strtok_r(NULL, " \n", &state)));
      continue;
    }
    if (strcmp(word, "default") == 0) {
      default_action = (uint32_t)strtoul(rest, NULL, 0);
      context = seccomp_init(default_action);
      if (context == NULL) fail("seccomp_init", EINVAL);
    } else if (context == NULL) {
      fail("default comes first", EINVAL);
    } else if (strcmp(word, "arch") == 0) {
      uint32_t token = token_of(strtok_r(NULL, " \n", &state));
      if (native && token != seccomp_arch_native()) {
        /* Byte orders cannot be mixed, so the native one goes first; it may come back later. */
        int removed = seccomp_arch_remove(context, SCMP_ARCH_NATIVE);
        if (removed < 0) fail("seccomp_arch_remove", removed);
      }
      int added = native && token == seccomp_arch_native() ? 0 : seccomp_arch_add(context, token);
      if (added < 0 && added != -EEXIST) fail("seccomp_arch_add", added);
      native = false;
    } else if (strcmp(word, "optimize") == 0) {
      int set = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, (uint32_t)strtoul(rest, NULL, 0));
      if (set < 0) fail("optimize", set);
    } else if (strcmp(word, "rule") == 0) {
      read_rule(context, default_action, rest);
    } else {
      fail(word, EINVAL);
    }
  }
  if (context == NULL) return 0;
  int exported = seccomp_export_bpf(context, 1);
  if (exported < 0) fail("seccomp_export_bpf", exported);
  if (began != 0) fprintf(stderr, "took %" PRIu64 "\n", microseconds() - began);
  seccomp_release(context);
  return 0;
}
