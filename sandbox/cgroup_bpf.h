/*
 * The device controller of cgroup v2: rules as a program of eBPF, attached to the group.
 *
 * The kernel asks it for every open and mknod of a device with struct bpf_cgroup_dev_ctx; 1 allows. The program
 * looks at the rules from the last to the first and keeps in a register which of the wanted accesses nobody has
 * decided yet: a rule that allows takes its accesses out, one that denies any of them ends it. What is left at the
 * end is denied. So it says what devices.allow and devices.deny, written in the same order, say on v1.
 */
#ifndef SANDBOX_CGROUP_BPF_H
#define SANDBOX_CGROUP_BPF_H

#include <linux/bpf.h>
#include <stddef.h>

#include "base/err.h"
#include "sandbox/resources.h"

#define CG_BPF_RULE_MAX 10 /* instructions for one rule */
#define CG_BPF_FRAME    16 /* before and after all rules */
#define CG_BPF_MAX      ((CG_DEVICES_MAX + 32) * CG_BPF_RULE_MAX + CG_BPF_FRAME)

/* Pure. out has room for n * CG_BPF_RULE_MAX + CG_BPF_FRAME. Returns the length. */
size_t cg_bpf_compile(const struct cg_device *rules, size_t n, struct bpf_insn *out);

/*
 * Attach the program to the v2 group: others of groups above stay in force. The one that we attached before, if
 * there is one, is replaced in one step. -EPERM without privilege.
 */
int cg_bpf_attach(int group, const struct bpf_insn *program, size_t n, struct err *e);

#endif
