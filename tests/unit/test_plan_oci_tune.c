/* config.json: scheduling, I/O priority, CPUs, memory nodes, personality, labels, HOME. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/personality.h>

#include "base/mem.h"

#define PROC(member)  .process = member ","
#define LINUX(member) .linux_part = member ","

START_TEST(nothing_is_asked_for_by_default)
{
	static const struct sbx_tune none;
	struct sbx_plan *p = oci_plan(OCI_WITH(PROC("\"scheduler\": {}, \"ioPriority\": null")));

	ck_assert_int_eq(memcmp(&p->tune, &none, sizeof(none)), 0);
	sbx_plan_free(p);
}
END_TEST

START_TEST(scheduler_is_compiled)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(
		PROC("\"scheduler\": {\"policy\": \"SCHED_FIFO\", \"priority\": 10, \"flags\": "
		     "[\"SCHED_FLAG_RESET_ON_FORK\", \"SCHED_FLAG_UTIL_CLAMP_MAX\"]}")));
	const struct sbx_scheduler *s = &p->tune.scheduler;

	ck_assert(p->tune.has_scheduler);
	ck_assert_uint_eq(s->policy, SCHED_FIFO);
	ck_assert_uint_eq(s->priority, 10);
	ck_assert_uint_eq(s->flags, 0x41);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(PROC("\"scheduler\": {\"policy\": \"SCHED_BATCH\", \"nice\": -20}")));
	ck_assert_uint_eq(p->tune.scheduler.policy, SCHED_BATCH);
	ck_assert_int_eq(p->tune.scheduler.nice, -20);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(PROC("\"scheduler\": {\"policy\": \"SCHED_DEADLINE\", \"runtime\": "
				   "10, \"deadline\": 20, \"period\": 30}")));
	ck_assert_uint_eq(p->tune.scheduler.runtime_ns, 10);
	ck_assert_uint_eq(p->tune.scheduler.deadline_ns, 20);
	ck_assert_uint_eq(p->tune.scheduler.period_ns, 30);
	sbx_plan_free(p);
}
END_TEST

START_TEST(cpus_of_exec_are_sets)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(
		PROC("\"execCPUAffinity\": {\"initial\": \"0-2,64\", \"final\": \"1023\"}")));

	ck_assert(p->tune.has_exec_initial && p->tune.has_exec_final);
	ck_assert_uint_eq(p->tune.exec_initial.words[0], 7);
	ck_assert_uint_eq(p->tune.exec_initial.words[1], 1);
	ck_assert_uint_eq(p->tune.exec_final.words[15], UINT64_C(1) << 63);
	sbx_plan_free(p);
}
END_TEST

START_TEST(io_priority_personality_and_memory_policy_are_compiled)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(
		PROC("\"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\", \"priority\": 7}"),
		LINUX("\"personality\": {\"domain\": \"LINUX32\", \"flags\": []}, "
		      "\"memoryPolicy\": "
		      "{\"mode\": \"MPOL_BIND\", \"nodes\": \"0,2\", \"flags\": "
		      "[\"MPOL_F_STATIC_NODES\"]}")));

	ck_assert_uint_eq(p->tune.io_priority, 3 << 13 | 7);
	ck_assert(p->tune.has_io_priority && p->tune.has_personality && p->tune.has_memory_policy);
	ck_assert_uint_eq(p->tune.personality, PER_LINUX32);
	ck_assert_uint_eq(p->tune.memory_mode, MPOL_BIND | MPOL_F_STATIC_NODES);
	ck_assert_uint_eq(p->tune.memory_nodes.words[0], 5);
	sbx_plan_free(p);
}
END_TEST

START_TEST(an_unknown_capability_is_a_warning)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(PROC("\"capabilities\": {\"bounding\": [\"CAP_FLY\", \"CAP_KILL\"]}")));

	ck_assert_uint_eq(p->drop.cap_bounding, 1 << 5);
	ck_assert_uint_eq(p->n_warnings, 1);
	ck_assert_str_eq(p->warnings[0],
			 "process.capabilities.bounding: unknown capability 'CAP_FLY': left out");
	sbx_plan_free(p);
}
END_TEST

START_TEST(home_is_looked_up_unless_it_is_given)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(PROC("\"env\": [\"HOME=/a\", \"X=\"]")));

	ck_assert_ptr_null(p->home);
	ck_assert_str_eq(p->env[0], "HOME=/a");
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(PROC("\"env\": [\"X=\", \"HOME=\", \"HOMER=1\"]")));
	ck_assert_ptr_eq(p->home, &p->env[1]);
	ck_assert_ptr_null(p->env[3]);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(PROC("\"env\": [\"X=\", \"HOMER=1\"]")));
	ck_assert_ptr_eq(p->home, &p->env[2]);
	ck_assert_ptr_null(p->env[3]);
	sbx_plan_free(p);
}
END_TEST

START_TEST(labels_are_kept_as_they_are)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(PROC("\"apparmorProfile\": \"p\", \"selinuxLabel\": "
						    "\"a:b:c:d\", \"commandLine\": \"x\"")));

	ck_assert_str_eq(p->apparmor, "p");
	ck_assert_str_eq(p->selinux, "a:b:c:d");
	sbx_plan_free(p);
}
END_TEST

/* clang-format off */
static const struct {
	struct oci_parts parts;
	const char *says;
} refused[] = {
	{{PROC("\"scheduler\": {\"nice\": 1}")},
	 "process.scheduler.policy: is missing"},
	{{PROC("\"scheduler\": {\"policy\": \"SCHED_ISO\"}")},
	 "process.scheduler.policy: 'SCHED_ISO' is not known"},
	{{PROC("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"nice\": 20}")},
	 "process.scheduler.nice: not a number in -20..19"},
	{{PROC("\"scheduler\": {\"policy\": \"SCHED_OTHER\", \"priority\": 1}")},
	 "process.scheduler: priority is for SCHED_FIFO and SCHED_RR"},
	{{PROC("\"scheduler\": {\"policy\": \"SCHED_RR\", \"runtime\": 1}")},
	 "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE"},
	{{PROC("\"scheduler\": {\"policy\": \"SCHED_RR\", \"flags\": [\"X\"]}")},
	 "process.scheduler.flags[0]: 'X' is not known"},
	{{PROC("\"scheduler\": 1")},
	 "process.scheduler: not an object"},
	{{PROC("\"ioPriority\": {\"priority\": 1}")},
	 "process.ioPriority.class: is missing"},
	{{PROC("\"ioPriority\": {\"class\": \"RT\"}")},
	 "process.ioPriority.class: 'RT' is not known"},
	{{PROC("\"ioPriority\": {\"class\": \"IOPRIO_CLASS_BE\", \"priority\": 8}")},
	 "process.ioPriority.priority: not a number in 0..7"},
	{{PROC("\"execCPUAffinity\": {\"initial\": \"0-\"}")},
	 "process.execCPUAffinity.initial: '0-' is no list"},
	{{PROC("\"execCPUAffinity\": {\"initial\": \"3-1\"}")},
	 "process.execCPUAffinity.initial: '3-1' is no list"},
	{{PROC("\"execCPUAffinity\": {\"final\": \"1024\"}")},
	 "process.execCPUAffinity.final: '1024' is no list"},
	{{PROC("\"execCPUAffinity\": {\"final\": \"0,\"}")},
	 "process.execCPUAffinity.final: '0,' is no list"},
	{{PROC("\"execCPUAffinity\": {\"final\": \"99999999999999999999\"}")},
	 "process.execCPUAffinity.final: '99999999999999999999' is no list"},
	{{PROC("\"execCPUAffinity\": {\"final\": \" 1\"}")},
	 "process.execCPUAffinity.final: ' 1' is no list"},
	{{LINUX("\"personality\": {\"domain\": \"BSD\"}")},
	 "linux.personality.domain: 'BSD' is not known"},
	{{LINUX("\"personality\": {\"domain\": \"LINUX\", \"flags\": [\"X\"]}")},
	 "linux.personality.flags: there are none"},
	{{LINUX("\"memoryPolicy\": {\"nodes\": \"0\"}")},
	 "linux.memoryPolicy.mode: is missing"},
	{{LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\"}")},
	 "linux.memoryPolicy.nodes: this mode needs them"},
	{{LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_LOCAL\", \"nodes\": \"0\"}")},
	 "linux.memoryPolicy.nodes: this mode takes none"},
	{{LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"x\"}")},
	 "linux.memoryPolicy.nodes: 'x' is no list"},
	{{LINUX("\"memoryPolicy\": {\"mode\": \"MPOL_BIND\", \"nodes\": \"0\", \"flags\": " "[\"X\"]}")},
	 "linux.memoryPolicy.flags[0]: 'X' is not known"},
	{{PROC("\"apparmorProfile\": 1")},
	 "process.apparmorProfile: not a string"},
};
/* clang-format on */

START_TEST(what_makes_no_sense_is_refused_by_its_path)
{
	oci_refused(oci_merge(&refused[_i].parts), refused[_i].says);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_oci_tune");
	TCase *t = tcase_create("config");

	tcase_add_test(t, nothing_is_asked_for_by_default);
	tcase_add_test(t, scheduler_is_compiled);
	tcase_add_test(t, cpus_of_exec_are_sets);
	tcase_add_test(t, io_priority_personality_and_memory_policy_are_compiled);
	tcase_add_test(t, an_unknown_capability_is_a_warning);
	tcase_add_test(t, home_is_looked_up_unless_it_is_given);
	tcase_add_test(t, labels_are_kept_as_they_are);
	tcase_add_loop_test(t, what_makes_no_sense_is_refused_by_its_path, 0, ARRAY_SIZE(refused));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)
