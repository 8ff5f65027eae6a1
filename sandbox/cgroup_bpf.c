/* Device rules as eBPF: see cgroup_bpf.h. */
#include "sandbox/cgroup_bpf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define PROGRAMS_MAX 64 /* the kernel's own limit for one group */
#define NAME         "sandbox_devices"
_Static_assert(sizeof(NAME) <= BPF_OBJ_NAME_LEN, "a name that the kernel keeps whole");

/* Registers of the program. R1 is the context at first. */
enum { TYPE = BPF_REG_2, LEFT = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5, TMP = BPF_REG_6 };

static struct bpf_insn insn(uint8_t code, int dst, int src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){.code = code,
				 .dst_reg = (uint8_t)(dst & 15),
				 .src_reg = (uint8_t)(src & 15),
				 .off = off,
				 .imm = imm};
}

static struct bpf_insn load(int dst, size_t offset)
{
	return insn(BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, (int16_t)offset, 0);
}

static struct bpf_insn alu(uint8_t op, int dst, uint32_t value)
{
	return insn((uint8_t)(BPF_ALU | op | BPF_K), dst, 0, 0, (int32_t)value);
}

/* if dst is not value, skip so many */
static struct bpf_insn unless(int dst, uint32_t value, size_t skip)
{
	return insn(BPF_JMP32 | BPF_JNE | BPF_K, dst, 0, (int16_t)skip, (int32_t)value);
}

static struct bpf_insn leave(void)
{
	return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static struct bpf_insn result(int value)
{
	return insn(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
}

/* access_type: the access in the upper half, the type in the lower. */
static size_t begin(struct bpf_insn *out)
{
	size_t n = 0;

	out[n++] = load(TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	out[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, LEFT, TYPE, 0, 0);
	out[n++] = alu(BPF_AND, TYPE, 0xffff);
	out[n++] = alu(BPF_RSH, LEFT, 16);
	out[n++] = load(MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	out[n++] = load(MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	return n;
}

/* What to do once a rule matches. */
static size_t verdict(const struct cg_device *rule, struct bpf_insn *out)
{
	size_t n = 0;

	if (rule->is_allowed) {
		out[n++] = alu(BPF_AND, LEFT, ~rule->access);
		out[n++] = unless(LEFT, 0, 2);
		out[n++] = result(1);
		out[n++] = leave();
	} else {
		out[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, TMP, LEFT, 0, 0);
		out[n++] = alu(BPF_AND, TMP, rule->access);
		out[n++] = insn(BPF_JMP32 | BPF_JEQ | BPF_K, TMP, 0, 2, 0);
		out[n++] = result(0);
		out[n++] = leave();
	}
	return n;
}

static size_t one_rule(const struct cg_device *rule, struct bpf_insn *out)
{
	struct bpf_insn then[CG_BPF_RULE_MAX];
	size_t n_then = verdict(rule, then), n = 0;
	size_t tests = (rule->type != 'a') + (rule->major >= 0) + (rule->minor >= 0);

	if (rule->type != 'a')
		out[n++] =
			unless(TYPE, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
			       --tests + n_then);
	if (rule->major >= 0)
		out[n++] = unless(MAJOR, (uint32_t)rule->major, --tests + n_then);
	if (rule->minor >= 0)
		out[n++] = unless(MINOR, (uint32_t)rule->minor, --tests + n_then);
	memcpy(out + n, then, n_then * sizeof(*then));
	return n + n_then;
}

size_t cg_bpf_compile(const struct cg_device *rules, size_t n_rules, struct bpf_insn *out)
{
	size_t n = begin(out);

	while (n_rules-- > 0) {
		const struct cg_device *rule = &rules[n_rules];

		n += one_rule(rule, out + n);
		/* Nothing gets past a rule for everything, and the kernel refuses what is never reached. */
		if (rule->type == 'a' && rule->major < 0 && rule->minor < 0 &&
		    rule->access == CG_DEV_ALL)
			break;
	}
	out[n++] = result(0);
	out[n++] = leave();
	return n;
}

/* ---- the kernel's side ---- */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load_program(const struct bpf_insn *program, size_t n, int *ret, struct err *e)
{
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, NAME, sizeof(NAME));
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return err_errno(e, "load a BPF program of %zu instructions", n);
	*ret = fd;
	return 0;
}

/* Is this program one of ours? Others (systemd's) may be on a group of the same path. */
static bool is_ours(int program)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info = (uintptr_t)&info;
	attr.info.info_len = sizeof(info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strcmp(info.name, NAME) == 0;
}

/* The program that we attached to the group before; -1 = there is none. */
static int find_ours(int group, int *ret, struct err *e)
{
	uint32_t ids[PROGRAMS_MAX] = {0};
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)group;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return err_errno(e, "which BPF programs the group has");
	for (uint32_t i = 0; i < attr.query.prog_cnt; i++) {
		union bpf_attr by = {0};
		int fd;

		by.prog_id = ids[i];
		fd = bpf(BPF_PROG_GET_FD_BY_ID, &by);
		if (fd >= 0 && is_ours(fd)) {
			*ret = fd;
			return 0;
		}
		fd_close(&fd);
	}
	*ret = -1;
	return 0;
}

int cg_bpf_attach(int group, const struct bpf_insn *program, size_t n, struct err *e)
{
	_cleanup_fd_ int mine = -1, old = -1;
	union bpf_attr attr = {0};
	int r = load_program(program, n, &mine, e);

	if (r == 0)
		r = find_ours(group, &old, e);
	if (r < 0)
		return r;
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)mine;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0);
	attr.replace_bpf_fd = old >= 0 ? (uint32_t)old : 0;
	return bpf(BPF_PROG_ATTACH, &attr) < 0 ? err_errno(e, "attach a BPF program") : 0;
}
