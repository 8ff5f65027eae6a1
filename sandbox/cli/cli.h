/*
 * The commands of `sandbox`. main.c looks the first word up in its table and calls one of these with that
 * word as argv[0]. Each returns the exit status: 0 done, 1 failed (one line on stderr), 2 wrong usage.
 */
#ifndef SANDBOX_CLI_CLI_H
#define SANDBOX_CLI_CLI_H

#define CLI_FAILED 1
#define CLI_USAGE  2

/* policy check FILE; policy explain FILE [SYSCALL...] */
int cmd_policy(int argc, char **argv);

#endif
