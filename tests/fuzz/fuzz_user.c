/* Any text as a user: either an error, or numbers that are written back as the same text. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/user.h"

#define TEXT_MAX 256

int fuzz_user(const uint8_t *data, size_t size)
{
	struct user_ids u = {.uid = 66, .gid = 77};
	char text[TEXT_MAX], again[64];
	struct err e = ERR_INIT;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (user_parse(text, &u, &e) < 0) {
		if (u.uid != 66 || u.gid != 77 || !e.text[0])
			abort();
		return 0;
	}
	if (u.has_gid)
		snprintf(again, sizeof(again), "%u:%u", u.uid, u.gid);
	else
		snprintf(again, sizeof(again), "%u", u.uid);
	if (strcmp(text, again) != 0 || u.uid > USER_ID_MAX || u.gid > USER_ID_MAX)
		abort();
	return 0;
}
