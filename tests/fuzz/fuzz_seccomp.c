/*
 * Any linux.seccomp, read as OCI's and as Docker's: an error that names the document, or a program that ends in
 * a verdict of the kernel for any call of any ABI, and never lets one pass of an ABI that is not listed.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/seccomp_json.h"
#include "tests/fuzz/fuzz.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_seccomp: %s\n", #cond);                              \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Of every branch of a program some call decides: numbers and arguments around its constants. */
static void check_program(const struct pol_program *prog)
{
	static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386};

	MUST(prog->n_insns > 0 && prog->n_insns <= POL_INSNS_MAX);
	for (uint16_t i = 0; i < prog->n_insns; i++) {
		const struct sock_filter *insn = &prog->insns[i];
		uint32_t reach = i + 1u + (insn->jt > insn->jf ? insn->jt : insn->jf);
		uint64_t k = insn->k;

		if (BPF_CLASS(insn->code) == BPF_RET)
			continue;
		MUST(i + 1 < prog->n_insns);
		if (insn->code == (BPF_JMP | BPF_JA))
			MUST(insn->k < prog->n_insns - i - 1u);
		else if (BPF_CLASS(insn->code) == BPF_JMP)
			MUST(reach < prog->n_insns);
		for (size_t a = 0; a < ARRAY_SIZE(archs); a++)
			(void)pol_verdict(prog, archs[a], insn->k,
					  (uint64_t[6]){k, k << 32, k - 1, k << 32 | k, k + 1, ~k});
	}
	MUST(prog->insns[prog->n_insns - 1].code == (BPF_RET | BPF_K));
	MUST(pol_verdict(prog, AUDIT_ARCH_AARCH64, 0, (uint64_t[6]){0}) ==
	     SECCOMP_RET_KILL_PROCESS);
}

static void judge(const struct node *section, const struct seccomp_docker *docker)
{
	_cleanup_profile_ struct pol_profile *p = NULL;
	_cleanup_buf_ struct buf out;
	struct pol_program *prog = calloc(1, sizeof(*prog));
	struct err e = ERR_INIT;

	buf_init(&out, 1 << 20);
	MUST(prog);
	if (seccomp_json_profile(section, docker, &out, &p, &e) < 0)
		MUST(!p && e.code && e.text[0]);
	else if (pol_profile_compile(p, prog, &e) == 0)
		check_program(prog);
	else
		MUST(e.code == E2BIG);
	if (p)
		(void)pol_profile_explain(p, NULL, &out, &e);
	free(prog);
}

int fuzz_seccomp(const uint8_t *data, size_t size)
{
	const struct seccomp_docker docker = {.caps = 1 << 21, .kernel_major = 6};
	json_error_t why;
	json_t *json = node_load((const char *)data, size, &why);
	struct node top = node_root(json, "config.json");

	if (json && json_is_object(json)) {
		judge(&top, NULL);
		judge(&top, &docker);
	}
	json_decref(json);
	return 0;
}
