/*
 * config.json: process.scheduler, ioPriority, execCPUAffinity; linux.personality, memoryPolicy. See plan_oci.h.
 *
 * What may go together is checked as runc does; what the kernel thinks of the numbers it says itself.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/personality.h>

#include "base/mem.h"
#include "base/str.h"

#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6 /* 6.9 */
#endif

#define NICE_MIN     (-20)
#define NICE_MAX     19
#define IO_CLASS_BIT 13

/* clang-format off */
static const struct oci_word policies[] = {
	{"SCHED_OTHER",    SCHED_NORMAL  },
	{"SCHED_FIFO",     SCHED_FIFO    },
	{"SCHED_RR",       SCHED_RR      },
	{"SCHED_BATCH",    SCHED_BATCH   },
	{"SCHED_IDLE",     SCHED_IDLE    },
	{"SCHED_DEADLINE", SCHED_DEADLINE},
};
/* clang-format on */

static const struct oci_word scheduler_flags[] = {
	{"SCHED_FLAG_RESET_ON_FORK",  SCHED_FLAG_RESET_ON_FORK },
	{"SCHED_FLAG_RECLAIM",        SCHED_FLAG_RECLAIM       },
	{"SCHED_FLAG_DL_OVERRUN",     SCHED_FLAG_DL_OVERRUN    },
	{"SCHED_FLAG_KEEP_POLICY",    SCHED_FLAG_KEEP_POLICY   },
	{"SCHED_FLAG_KEEP_PARAMS",    SCHED_FLAG_KEEP_PARAMS   },
	{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

static int deadline(struct sbx_scheduler *s, const struct node *n, struct err *e)
{
	struct node runtime = node_get(n, "runtime"), end = node_get(n, "deadline"),
		    period = node_get(n, "period");
	int r = node_u64(&runtime, &s->runtime_ns, e);

	if (r == 0)
		r = node_u64(&end, &s->deadline_ns, e);
	return r < 0 ? r : node_u64(&period, &s->period_ns, e);
}

static int check_scheduler(const struct sbx_scheduler *s, const struct node *n, struct err *e)
{
	bool is_realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

	if (s->priority && !is_realtime)
		return node_fail(n, e, "priority is for SCHED_FIFO and SCHED_RR");
	if ((s->runtime_ns || s->deadline_ns || s->period_ns) && s->policy != SCHED_DEADLINE)
		return node_fail(n, e, "runtime, deadline and period are for SCHED_DEADLINE");
	return 0;
}

static int scheduler(struct sbx_tune *t, const struct node *process, struct err *e)
{
	struct node n = node_get(process, "scheduler"), policy = node_get(&n, "policy"),
		    nice = node_get(&n, "nice"), priority = node_get(&n, "priority"),
		    flags = node_get(&n, "flags");
	struct sbx_scheduler *s = &t->scheduler;
	int64_t nice_value = 0;
	uint64_t value = 0;
	int r = node_object(&n, e);

	if (r < 0 || node_is_empty(&n))
		return r;
	t->has_scheduler = true;
	r = node_need(&policy, e);
	if (r == 0)
		r = oci_word(&policy, policies, ARRAY_SIZE(policies), &value, e);
	if (r == 0)
		r = oci_words(&flags, scheduler_flags, ARRAY_SIZE(scheduler_flags), &s->flags, e);
	if (r == 0)
		r = node_number(&nice, NICE_MIN, NICE_MAX, &nice_value, e);
	if (r == 0)
		r = node_u32(&priority, 0, INT32_MAX, &s->priority, e);
	if (r == 0)
		r = deadline(s, &n, e);
	s->policy = (uint32_t)value;
	s->nice = (int32_t)nice_value;
	return r < 0 ? r : check_scheduler(s, &n, e);
}

static int io_priority(struct sbx_tune *t, const struct node *process, struct err *e)
{
	static const struct oci_word classes[] = {
		{"IOPRIO_CLASS_RT",   1},
		{"IOPRIO_CLASS_BE",   2},
		{"IOPRIO_CLASS_IDLE", 3},
	};
	struct node n = node_get(process, "ioPriority"), class = node_get(&n, "class"),
		    priority = node_get(&n, "priority");
	uint64_t value = 0;
	uint32_t level = 0;
	int r = node_object(&n, e);

	if (r < 0 || node_is_empty(&n))
		return r;
	r = node_need(&class, e);
	if (r == 0)
		r = oci_word(&class, classes, ARRAY_SIZE(classes), &value, e);
	if (r == 0)
		r = node_u32(&priority, 0, 7, &level, e);
	t->has_io_priority = true;
	t->io_priority = (uint32_t)value << IO_CLASS_BIT | level;
	return r;
}

/* One number at *at, which moves behind it; false if there is none, or one that is too large. */
static bool read_number(const char **at, uint32_t *ret)
{
	uint32_t value = 0;
	const char *from = *at;

	for (; **at >= '0' && **at <= '9' && value < SBX_CPUS_MAX; (*at)++)
		value = value * 10 + (uint32_t)(**at - '0');
	*ret = value;
	return *at > from && value < SBX_CPUS_MAX;
}

static bool read_ranges(const char *at, struct sbx_set *set)
{
	uint32_t first, last;

	for (;; at++) {
		if (!read_number(&at, &first))
			return false;
		last = first;
		if (*at == '-') {
			at++;
			if (!read_number(&at, &last) || last < first)
				return false;
		}
		for (uint32_t i = first; i <= last; i++)
			set->words[i / 64] |= UINT64_C(1) << i % 64;
		if (*at != ',')
			return *at == '\0';
	}
}

/* "0-3,7". Nothing is no set. */
static int number_set(const struct node *n, bool *ret_has, struct sbx_set *ret, struct err *e)
{
	const char *text = "";
	int r = node_text(n, &text, e);

	if (r < 0 || !*text)
		return r;
	if (!read_ranges(text, ret))
		return node_fail(n, e, "'%s' is no list of numbers and ranges in 0..%d", text,
				 SBX_CPUS_MAX - 1);
	*ret_has = true;
	return 0;
}

int oci_tune_process(struct oci *o, const struct node *process, struct err *e)
{
	struct node cpus = node_get(process, "execCPUAffinity"), first = node_get(&cpus, "initial"),
		    last = node_get(&cpus, "final");
	struct sbx_tune *t = &o->plan->tune;
	int r = scheduler(t, process, e);

	if (r == 0)
		r = io_priority(t, process, e);
	if (r == 0)
		r = node_object(&cpus, e);
	if (r == 0)
		r = number_set(&first, &t->has_exec_initial, &t->exec_initial, e);
	return r < 0 ? r : number_set(&last, &t->has_exec_final, &t->exec_final, e);
}

static int persona(struct sbx_tune *t, const struct node *part, struct err *e)
{
	static const struct oci_word domains[] = {
		{"LINUX",   PER_LINUX  },
		{"LINUX32", PER_LINUX32},
	};
	struct node n = node_get(part, "personality"), domain = node_get(&n, "domain"),
		    flags = node_get(&n, "flags");
	int r = node_object(&n, e);

	if (r < 0 || node_is_empty(&n))
		return r;
	t->has_personality = true;
	r = node_need(&domain, e);
	if (r == 0)
		r = oci_word(&domain, domains, ARRAY_SIZE(domains), &t->personality, e);
	/* The specification has the member and no value for it. */
	if (r == 0 && !node_is_empty(&flags))
		r = node_fail(&flags, e, "there are none");
	return r;
}

static const struct oci_word modes[] = {
	{"MPOL_DEFAULT",             MPOL_DEFAULT            },
	{"MPOL_PREFERRED",           MPOL_PREFERRED          },
	{"MPOL_BIND",                MPOL_BIND               },
	{"MPOL_INTERLEAVE",          MPOL_INTERLEAVE         },
	{"MPOL_LOCAL",               MPOL_LOCAL              },
	{"MPOL_PREFERRED_MANY",      MPOL_PREFERRED_MANY     },
	{"MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE},
};

static const struct oci_word mode_flags[] = {
	{"MPOL_F_STATIC_NODES",   MPOL_F_STATIC_NODES  },
	{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
	{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
};

const char *oci_memory_mode_word(size_t i)
{
	return i < ARRAY_SIZE(modes) ? modes[i].word : NULL;
}

const char *oci_memory_flag_word(size_t i)
{
	return i < ARRAY_SIZE(mode_flags) ? mode_flags[i].word : NULL;
}

static int memory_policy(struct sbx_tune *t, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "memoryPolicy"), mode = node_get(&n, "mode"),
		    nodes = node_get(&n, "nodes"), flags = node_get(&n, "flags");
	uint64_t value = 0, bits = 0;
	bool has_nodes = false;
	int r = node_object(&n, e);

	if (r < 0 || node_is_empty(&n))
		return r;
	r = node_need(&mode, e);
	if (r == 0)
		r = oci_word(&mode, modes, ARRAY_SIZE(modes), &value, e);
	if (r == 0)
		r = oci_words(&flags, mode_flags, ARRAY_SIZE(mode_flags), &bits, e);
	if (r == 0)
		r = number_set(&nodes, &has_nodes, &t->memory_nodes, e);
	if (r < 0)
		return r;
	if (has_nodes && (value == MPOL_DEFAULT || value == MPOL_LOCAL))
		return node_fail(&nodes, e, "this mode takes none");
	if (!has_nodes && value != MPOL_DEFAULT && value != MPOL_LOCAL && value != MPOL_PREFERRED)
		return node_fail(&nodes, e, "this mode needs them");
	t->has_memory_policy = true;
	t->memory_mode = (uint32_t)(value | bits);
	return 0;
}

int oci_tune_linux(struct oci *o, const struct node *part, struct err *e)
{
	int r = persona(&o->plan->tune, part, e);

	return r < 0 ? r : memory_policy(&o->plan->tune, part, e);
}
