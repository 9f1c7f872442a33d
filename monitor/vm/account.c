// SPDX-License-Identifier: MIT
/*
 * Names of modes and events, and sums of accounts: see account.h.
 */
#include "monitor/vm/account.h"

const char *const mode_name[MODES] = {
	[MODE_PLAIN] = "plain",
	[MODE_NATIVE] = "native",
	[MODE_NESTED] = "nested",
	[MODE_TRAP] = "trap",
};

const char *const account_event_name[EVENTS] = {[EVENT_NONE] = "none",
#define X(id, class, name) [EVENT_##id] = (name),
	ACCOUNT_EVENTS(X)
#undef X
};

const enum account_class account_event_class[EVENTS] = {
#define X(id, class, name) [EVENT_##id] = CLASS_##class,
	ACCOUNT_EVENTS(X)
#undef X
};

const char *const account_class_name[ACCOUNT_CLASSES] = {
	[CLASS_INSTRUCTION] = "sensitive instructions",
	[CLASS_GUEST] = "traps to the guest",
	[CLASS_TLB] = "TLB misses",
	[CLASS_MONITOR] = "monitor's work",
};

void account_add(struct account *sum, const struct account *a)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)a;

	for (unsigned i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] += from[i];
}

struct account account_between(const struct account *then, const struct account *now)
{
	struct account r = *now;
	uint64_t *to = (uint64_t *)&r;
	const uint64_t *from = (const uint64_t *)then;

	for (unsigned i = 0; i < sizeof(r) / sizeof(*to); i++)
		to[i] -= from[i];
	return r;
}

uint64_t account_total(const struct account *a)
{
	return a->user + a->supervisor + a->machine + a->pause + a->monitor + a->idle + a->wait;
}
