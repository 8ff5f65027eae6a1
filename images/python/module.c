/*
 * The Python face of the extension. Functions raise OSError(errno, text) when the system or a peer fails;
 * in zygote_setup() and in a child that has not sealed yet they end the process instead, after telling the
 * launcher.
 *
 * Zygote	zygote_setup()			receive SETUP
 *		zygote_ready(failure)		say READY, or why not (text)
 *		zygote_serve(prepare) -> times | None
 *						fork children; None in the zygote at its end, times in
 *						a child, after prepare(is_wanted) was called and it was sealed
 * Exec'ed	park(began_us) -> times		a child's half from PARKED on
 * Instance	init() -> str | None		the GUEST_INIT object; None = the core is gone
 *		ready(times, import_us, imported_us)
 *		init_error(payload)
 *		receive() -> (request_id, deadline_us, client_context, event) | None
 *		reply(status, started_us, ended_us, payload)
 *						to the request received last
 *		close()				forget the stream: for forks of user code
 * All		now_us()			CLOCK_MONOTONIC
 *
 * times is (forked_us, taken_us, sealed_us). Texts from the core are str when they are UTF-8, else bytes;
 * payloads may be either.
 */
#include "images/python/guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"

struct guest {
	struct stream stream;
	struct zygote zygote;
	struct guest_invoke request; /* the one received last: its reply names it */
};

static PyObject *raise_err(const struct err *e)
{
	PyObject *args = Py_BuildValue("(is)", e->code, e->text);

	if (args) {
		PyErr_SetObject(PyExc_OSError, args);
		Py_DECREF(args);
	}
	return NULL;
}

static PyObject *times_tuple(const struct child_times *t)
{
	return Py_BuildValue("(KKK)", (unsigned long long)t->forked_us,
			     (unsigned long long)t->taken_us, (unsigned long long)t->sealed_us);
}

/* --- zygote and child --- */

static PyObject *py_zygote_setup(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct guest *g = PyModule_GetState(self);
	struct err e = ERR_INIT;

	if (zygote_setup(&g->zygote, &e) < 0)
		zygote_break(&e);
	Py_RETURN_NONE;
}

static PyObject *py_zygote_ready(PyObject *Py_UNUSED(self), PyObject *failure)
{
	struct err why = ERR_INIT, e = ERR_INIT;

	if (failure != Py_None) {
		const char *text = PyUnicode_AsUTF8(failure);

		if (!text)
			return NULL;
		(void)err_set(&why, EPROTO, "%s", text);
	}
	if (zygote_ready(&why, &e) < 0)
		return raise_err(&e);
	Py_RETURN_NONE;
}

static PyObject *py_zygote_serve(PyObject *self, PyObject *prepare)
{
	struct guest *g = PyModule_GetState(self);
	struct child_times t;
	struct err e = ERR_INIT;
	int r = zygote_serve(&g->zygote, prepare, &t, &e);

	if (r < 0)
		return raise_err(&e);
	if (r == ZYGOTE_E_CHILD)
		return times_tuple(&t);
	Py_RETURN_NONE;
}

static PyObject *py_park(PyObject *Py_UNUSED(self), PyObject *began_us)
{
	struct child_times t = {.forked_us = PyLong_AsUnsignedLongLong(began_us)};
	const struct sbx_drop *drop;
	int memfd = GUEST_FD_DROP;
	struct err e = ERR_INIT;

	if (PyErr_Occurred())
		return NULL;
	if (child_map_drop(memfd, &drop, &e) < 0)
		child_break(&e);
	fd_close(&memfd);
	if (child_park(drop, &t, &e) < 0)
		child_break(&e);
	return times_tuple(&t);
}

/* --- instance --- */

/* The next frame, which must be of that type. Returns 0, STREAM_E_EOF, or negative with an exception. */
static int next_frame(struct stream *s, enum guest_frame_type type, const char **ret_payload,
		      size_t *ret_size)
{
	struct guest_frame frame;
	struct err e = ERR_INIT;
	int r;

	do {
		Py_BEGIN_ALLOW_THREADS r = stream_next(s, &frame, ret_payload, &e);
		Py_END_ALLOW_THREADS if (r == -EINTR && PyErr_CheckSignals() < 0) return r;
	} while (r == -EINTR);
	if (r == 0 && frame.type != type)
		r = err_set(&e, EPROTO, "frame %u, not %u", frame.type, type);
	if (r < 0)
		(void)raise_err(&e);
	else if (r == 0)
		*ret_size = frame.size;
	return r;
}

/* Strict UTF-8 is one to one, so a str gives the very bytes back when the text turns out not to be JSON. */
static PyObject *text_or_bytes(const char *p, size_t n)
{
	PyObject *text = PyUnicode_DecodeUTF8(p, (Py_ssize_t)n, "strict");

	if (text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
		return text;
	PyErr_Clear();
	return PyBytes_FromStringAndSize(p, (Py_ssize_t)n);
}

static PyObject *py_init(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct guest *g = PyModule_GetState(self);
	const char *payload;
	size_t size;
	int r = next_frame(&g->stream, GUEST_INIT, &payload, &size);

	if (r < 0)
		return NULL;
	if (r == STREAM_E_EOF)
		Py_RETURN_NONE;
	return PyUnicode_DecodeUTF8(payload, (Py_ssize_t)size, "strict");
}

static PyObject *request_tuple(const char *payload, size_t size, struct guest_invoke *ret_head)
{
	struct guest_invoke head;
	const char *context = payload + sizeof(head);
	PyObject *id, *context_text, *event;

	if (size >= sizeof(head))
		memcpy(&head, payload, sizeof(head));
	if (size < sizeof(head) || head.context_size > size - sizeof(head) ||
	    !memchr(head.request_id, '\0', sizeof(head.request_id))) {
		PyErr_SetString(PyExc_OSError, "malformed GUEST_INVOKE");
		return NULL;
	}
	*ret_head = head;
	size -= sizeof(head) + head.context_size;
	id = PyUnicode_DecodeASCII(head.request_id, (Py_ssize_t)strlen(head.request_id), "replace");
	context_text = text_or_bytes(context, head.context_size);
	event = text_or_bytes(context + head.context_size, size);
	if (!id || !context_text || !event) {
		Py_XDECREF(id);
		Py_XDECREF(context_text);
		Py_XDECREF(event);
		return NULL;
	}
	return Py_BuildValue("(NKNN)", id, (unsigned long long)head.deadline_us, context_text,
			     event);
}

static PyObject *py_receive(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct guest *g = PyModule_GetState(self);
	PyObject *request;
	const char *payload;
	size_t size;
	int r = next_frame(&g->stream, GUEST_INVOKE, &payload, &size);

	if (r < 0)
		return NULL;
	if (r == STREAM_E_EOF)
		Py_RETURN_NONE;
	request = request_tuple(payload, size, &g->request);
	stream_release(&g->stream);
	return request;
}

/* The bytes of a str or bytes object; borrowed from it. */
static int payload_bytes(PyObject *payload, const char **ret_p, Py_ssize_t *ret_n)
{
	char *p;

	if (PyUnicode_Check(payload)) {
		*ret_p = PyUnicode_AsUTF8AndSize(payload, ret_n);
		return *ret_p ? 0 : -1;
	}
	if (PyBytes_AsStringAndSize(payload, &p, ret_n) < 0)
		return -1;
	*ret_p = p;
	return 0;
}

/* With payload NULL there is only the head. */
static PyObject *send_frame(PyObject *self, enum guest_frame_type type, const void *head,
			    size_t head_size, PyObject *payload)
{
	struct guest *g = PyModule_GetState(self);
	struct err e = ERR_INIT;
	const char *p = NULL;
	Py_ssize_t n = 0;
	int r;

	if (payload && payload_bytes(payload, &p, &n) < 0)
		return NULL;
	if ((size_t)n > GUEST_FRAME_MAX - head_size) {
		PyErr_Format(PyExc_OverflowError, "payload of %zd bytes", n);
		return NULL;
	}
	Py_BEGIN_ALLOW_THREADS r = stream_send(&g->stream, type, head, head_size, p, (size_t)n, &e);
	Py_END_ALLOW_THREADS if (r < 0) return raise_err(&e);
	Py_RETURN_NONE;
}

static PyObject *py_ready(PyObject *self, PyObject *args)
{
	unsigned long long forked_us, taken_us, sealed_us, import_us, imported_us;
	struct guest_ready m;

	if (!PyArg_ParseTuple(args, "(KKK)KK", &forked_us, &taken_us, &sealed_us, &import_us,
			      &imported_us))
		return NULL;
	m = (struct guest_ready){.forked_us = forked_us,
				 .taken_us = taken_us,
				 .sealed_us = sealed_us,
				 .import_us = import_us,
				 .imported_us = imported_us};
	return send_frame(self, GUEST_READY, &m, sizeof(m), NULL);
}

static PyObject *py_init_error(PyObject *self, PyObject *payload)
{
	return send_frame(self, GUEST_INIT_ERROR, NULL, 0, payload);
}

static PyObject *py_reply(PyObject *self, PyObject *args)
{
	const struct guest *g = PyModule_GetState(self);
	unsigned int status;
	unsigned long long started_us, ended_us;
	PyObject *payload;
	struct guest_result m;

	if (!PyArg_ParseTuple(args, "IKKO", &status, &started_us, &ended_us, &payload))
		return NULL;
	m = (struct guest_result){.status = status, .started_us = started_us, .ended_us = ended_us};
	memcpy(m.request_id, g->request.request_id, sizeof(m.request_id));
	return send_frame(self, GUEST_RESULT, &m, sizeof(m), payload);
}

static PyObject *py_close(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct guest *g = PyModule_GetState(self);

	fd_close(&g->stream.fd);
	Py_RETURN_NONE;
}

static PyObject *py_now_us(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	return PyLong_FromUnsignedLongLong(clk_now_us());
}

/* --- the module --- */

static PyMethodDef methods[] = {
	{"zygote_setup", py_zygote_setup, METH_NOARGS,  NULL},
	{"zygote_ready", py_zygote_ready, METH_O,       NULL},
	{"zygote_serve", py_zygote_serve, METH_O,       NULL},
	{"park",         py_park,         METH_O,       NULL},
	{"init",         py_init,         METH_NOARGS,  NULL},
	{"ready",        py_ready,        METH_VARARGS, NULL},
	{"init_error",   py_init_error,   METH_O,       NULL},
	{"receive",      py_receive,      METH_NOARGS,  NULL},
	{"reply",        py_reply,        METH_VARARGS, NULL},
	{"close",        py_close,        METH_NOARGS,  NULL},
	{"now_us",       py_now_us,       METH_NOARGS,  NULL},
	{NULL,           NULL,            0,            NULL},
};

static int module_exec(PyObject *self)
{
	struct guest *g = PyModule_GetState(self);

	g->stream.fd = GUEST_FD_DATA;
	if (PyModule_AddIntMacro(self, GUEST_OK) < 0 ||
	    PyModule_AddIntMacro(self, GUEST_ERROR) < 0 ||
	    PyModule_AddIntMacro(self, GUEST_PAYLOAD_MAX) < 0)
		return -1;
	return 0;
}

static PyModuleDef_Slot slots[] = {
	{Py_mod_exec, module_exec},
	{0,           NULL       },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "_guest", .m_size = sizeof(struct guest),
	.m_methods = methods,  .m_slots = slots,
};

PyMODINIT_FUNC PyInit__guest(void); /* Python.h brings no prototype */

PyMODINIT_FUNC PyInit__guest(void)
{
	return PyModuleDef_Init(&definition);
}
