/*
 * Settings of a function as the Lambda API writes them. Pure. A member that is null or not there leaves
 * the function as it is; members nobody here knows are ignored; members that would change what the
 * function does, and cannot be honoured, are refused by name.
 */
#ifndef RUNTIMED_SETTINGS_H
#define RUNTIMED_SETTINGS_H

#include <jansson.h>

#include "base/err.h"
#include "runtimed/func.h"

/* Refuse what cannot be honoured, in the body of Create or an Update; -EINVAL. */
int settings_check(const json_t *body, struct err *e);

/* The same for where the code is: {"ZipFile": ...} and nothing else that counts. */
int settings_check_code(const json_t *code, struct err *e);

/* Handler, Runtime, Role, Description, MemorySize, Timeout, EphemeralStorage, Environment over *f. */
int settings_read(const json_t *body, struct func *f, struct err *e);

#endif
