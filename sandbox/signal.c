/* Signals as users and engines spell them: see signal.h. */
#include "sandbox/signal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

/* What sigabbrev_np(3) calls otherwise. */
static const struct {
	const char *name;
	int number;
} others[] = {
	{"IOT",    SIGABRT},
	{"CLD",    SIGCHLD},
	{"POLL",   SIGIO  },
	{"UNUSED", SIGSYS },
};

/* "MIN", "MIN+3", "MAX-1" after "RT"; 0 if it is none. */
static int real_time(const char *text)
{
	bool is_min = strncasecmp(text, "MIN", 3) == 0;
	struct err lost = ERR_INIT;
	uint64_t by = 0;

	if (!is_min && strncasecmp(text, "MAX", 3) != 0)
		return 0;
	text += 3;
	if (*text && (*text != (is_min ? '+' : '-') ||
		      str_to_u64(text + 1, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), "", &by, &lost) < 0))
		return 0;
	return is_min ? SIGRTMIN + (int)by : SIGRTMAX - (int)by;
}

static int by_name(const char *name)
{
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int s = 1; s < NSIG; s++)
		if (sigabbrev_np(s) && strcasecmp(name, sigabbrev_np(s)) == 0)
			return s;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcasecmp(name, others[i].name) == 0)
			return others[i].number;
	return strncasecmp(name, "RT", 2) == 0 ? real_time(name + 2) : 0;
}

int sbx_signal_parse(const char *text, int *ret, struct err *e)
{
	struct err lost = ERR_INIT;
	uint64_t number = 0;
	bool is_number = str_to_u64(text, 0, NSIG - 1, "signal", &number, &lost) == 0;
	int s = is_number ? (int)number : by_name(text);

	if (s == 0 && !is_number)
		return err_set(e, EINVAL, "unknown signal '%s'", text);
	*ret = s;
	return 0;
}
