/*
 * What the kernel would answer: an interpreter of classic BPF as seccomp takes it.
 *
 * It knows the instructions that libseccomp and args.c produce. Everything else, a jump out of the
 * program or a read out of struct seccomp_data is a program that the kernel refuses; the answer is then
 * kill, never allow.
 */
#include "policy/policy.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

static bool load(const struct seccomp_data *data, uint32_t offset, uint32_t *ret)
{
	if (offset % sizeof(*ret) || offset > sizeof(*data) - sizeof(*ret))
		return false;
	memcpy(ret, (const char *)data + offset, sizeof(*ret));
	return true;
}

static bool compare(uint16_t op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	default: /* BPF_JSET: the caller knows no other */
		return (a & k) != 0;
	}
}

static uint32_t run(const struct pol_program *prog, const struct seccomp_data *data)
{
	uint32_t a = 0, pc = 0;

	while (pc < prog->n_insns) {
		const struct sock_filter *insn = &prog->insns[pc++];

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (!load(data, insn->k, &a))
				return SECCOMP_RET_KILL_PROCESS;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JA:
			if (insn->k >= prog->n_insns)
				return SECCOMP_RET_KILL_PROCESS;
			pc += insn->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += compare(BPF_OP(insn->code), a, insn->k) ? insn->jt : insn->jf;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

uint32_t pol_verdict(const struct pol_program *prog, uint32_t arch, uint32_t nr,
		     const uint64_t args[6])
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch};

	if (prog->n_insns > POL_INSNS_MAX)
		return SECCOMP_RET_KILL_PROCESS;
	memcpy(data.args, args, sizeof(data.args));
	return run(prog, &data);
}
