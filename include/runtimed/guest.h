/*
 * What core and instance say to each other, over one stream socket.
 *
 * Frames in both directions: struct guest_frame, then `size` bytes of payload. Both ends are on one
 * machine, so numbers are in host order. Life cycle, as the core sees it:
 *
 *	core → guest   GUEST_INIT      JSON: what to import, environment, names (below)
 *	core → guest   GUEST_INVOKE    struct guest_invoke, client context, event  (may follow INIT at once)
 *	guest → core   GUEST_READY     struct guest_ready: the cold start's parts
 *	          or   GUEST_INIT_ERROR  JSON error object; the guest then exits with status 1
 *	guest → core   GUEST_RESULT    struct guest_result, reply or JSON error object
 *	core → guest   GUEST_INVOKE    ...
 *
 * The core sends one GUEST_INVOKE at a time; the guest answers each with exactly one GUEST_RESULT, which
 * names the request. When the core closes the socket, the guest exits 0. Anything else is a broken peer:
 * the core destroys the instance, the guest exits. What tenant code wrote between two requests, or what a
 * thread it left behind writes late, so never answers a request: a request id is random and was not told
 * before its GUEST_INVOKE. The call that meets such a frame ends as `exit`.
 *
 * print, logging and whatever writes to fd 1 or 2 goes into a pipe that the core reads. The guest writes
 * nothing of its own there. All that a request wrote is in the pipe before its GUEST_RESULT is sent.
 *
 * GUEST_INIT is one JSON object:
 *	{"handler":"app.handler","function_name":"hello","function_version":"$LATEST",
 *	 "memory_mb":128,"timeout_ms":3000,"arn":"arn:aws:lambda:…","log_group":"/aws/lambda/hello",
 *	 "log_stream":"2026/11/21/[$LATEST]…","env":{"K":"V",…}}
 * env is the function's whole environment as the core composed it (AWS_* and LAMBDA_* included).
 */
#ifndef RUNTIMED_GUEST_H
#define RUNTIMED_GUEST_H

#include <stdint.h>

#define GUEST_REQUEST_ID_LEN 36          /* UUID text */
#define GUEST_PAYLOAD_MAX    (6u << 20)  /* event or reply: 6 MiB, Lambda's limit */
#define GUEST_CONTEXT_MAX    3583u       /* client context, Lambda's limit */
#define GUEST_INIT_MAX       (64u << 10) /* the GUEST_INIT object */
#define GUEST_FRAME_MAX      (GUEST_PAYLOAD_MAX + (16u << 10))

/* Descriptors an instance's process starts with; everything else is closed. */
enum guest_fd {
	GUEST_FD_NULL = 0,    /* /dev/null */
	GUEST_FD_OUT = 1,     /* log pipe */
	GUEST_FD_ERR = 2,     /* the same pipe */
	GUEST_FD_DATA = 3,    /* the stream of this file */
	GUEST_FD_CONTROL = 4, /* to the launcher (runtimed/zygote.h) until taken; then closed */
};

enum guest_frame_type {
	GUEST_INIT = 1,
	GUEST_INVOKE,
	GUEST_READY,
	GUEST_INIT_ERROR,
	GUEST_RESULT,
};

struct guest_frame {
	uint32_t type; /* enum guest_frame_type */
	uint32_t size; /* payload bytes that follow, <= GUEST_FRAME_MAX */
};

/* Payload of GUEST_INVOKE: this, then context_size bytes, then the event to the end of the frame. */
struct guest_invoke {
	char request_id[GUEST_REQUEST_ID_LEN + 4]; /* NUL-terminated */
	uint64_t deadline_us;  /* CLOCK_MONOTONIC; for get_remaining_time_in_millis() */
	uint32_t context_size; /* decoded client context JSON, 0 = none */
	uint32_t reserved;
};

/* All times are CLOCK_MONOTONIC µs. */
struct guest_ready {
	uint64_t forked_us;   /* the process began (after fork or exec, before it parked) */
	uint64_t taken_us;    /* TAKE was received: the wait was over */
	uint64_t sealed_us;   /* code mounted, privileges gone, filter installed */
	uint64_t import_us;   /* import began */
	uint64_t imported_us; /* handler found: ready */
};

enum guest_status {
	GUEST_OK = 0,    /* payload is the reply */
	GUEST_ERROR = 1, /* payload is {"errorMessage","errorType","stackTrace","requestId"} */
};

/* Payload of GUEST_RESULT: this, then the reply. */
struct guest_result {
	char request_id[GUEST_REQUEST_ID_LEN + 4]; /* as it came, byte for byte */
	uint32_t status;                           /* enum guest_status */
	uint32_t reserved;
	uint64_t started_us; /* the handler was entered */
	uint64_t ended_us;   /* the handler returned and its reply was serialised */
};

#endif
