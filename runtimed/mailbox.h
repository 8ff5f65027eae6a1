/*
 * From a thread to the loop: what a worker thread has finished is run on the loop's thread.
 *
 *  1. mailbox_open()   on the loop's thread
 *  2. mailbox_post()   from any thread; the letter belongs to the mailbox until it is run
 *  3. mailbox_close()  on the loop's thread, when no thread posts any more: runs what is left, then
 *                      gives the memory back at the loop's next turn
 *
 * Letters are run in the order of posting, each once. run() may free the letter.
 */
#ifndef RUNTIMED_MAILBOX_H
#define RUNTIMED_MAILBOX_H

#include <uv.h>

#include "base/err.h"
#include "base/list.h"

struct mailbox;

struct letter {
	struct list link;
	void (*run)(struct letter *self);
};

int mailbox_open(uv_loop_t *loop, struct mailbox **ret, struct err *e);
void mailbox_post(struct mailbox *m, struct letter *letter);
void mailbox_close(struct mailbox *m); /* NULL is fine */

#endif
