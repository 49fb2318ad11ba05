/* Users, groups and capabilities of the command. */
#include "credentials.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "failure.h"
#include "syscalls.h"

#define CAPABILITY_LIMIT 64

struct capability_sets {
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static struct __user_cap_header_struct capability_header(void)
{
	return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

int set_securebits(uint32_t value)
{
	return prctl(PR_SET_SECUREBITS, value) < 0 ? fail("") : 0;
}

int keep_capabilities(uint32_t value)
{
	return prctl(PR_SET_KEEPCAPS, value) < 0 ? fail("") : 0;
}

int limit_bounding(uint64_t keep)
{
	for (unsigned int capability = 0; capability < CAPABILITY_LIMIT; capability++) {
		if ((keep >> capability & 1) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, capability) < 0) {
			/* EINVAL: beyond the kernel's last capability. */
			return errno == EINVAL ? 0 : fail("");
		}
	}
	return 0;
}

int set_groups(const struct u32s *gids)
{
	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "group ids have 32 bits");
	return setgroups(gids->count, gids->values) < 0 ? fail("") : 0;
}

int set_user(const struct op_set_user *op)
{
	/* Before the user's ids, which may take away the right to change the group's. */
	if (setresgid(op->gid, op->gid, op->gid) < 0 || setresuid(op->uid, op->uid, op->uid) < 0)
		return fail("");
	return 0;
}

int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = capability_header();
	struct capability_sets sets;

	for (unsigned int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		sets.words[word].effective = (uint32_t)(effective >> 32 * word);
		sets.words[word].permitted = (uint32_t)(permitted >> 32 * word);
		sets.words[word].inheritable = (uint32_t)(inheritable >> 32 * word);
	}
	return sys_capset(&header, sets.words) < 0 ? fail("") : 0;
}

int set_ambient(uint64_t mask)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return fail("");
	for (unsigned int capability = 0; capability < CAPABILITY_LIMIT; capability++) {
		if ((mask >> capability & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
			return fail("");
	}
	return 0;
}

int restrict_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = capability_header();
	struct capability_sets sets;
	uint64_t kept = 0;

	if (sys_capget(&header, sets.words) < 0)
		return fail("");
	for (unsigned int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++)
		kept |= (uint64_t)sets.words[word].permitted << 32 * word;
	kept &= mask;
	return set_capabilities(kept, kept, 0);
}
