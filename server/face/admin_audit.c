/* The part of AdminService that shows what was asked of sources. */
#include "server/face/admin_internal.h"

#include <stdlib.h>

#include "proto/err.h"
#include "proto/mem.h"
#include "server/face/admin_view.h"
#include "server/face/call.h"
#include "server/store/audit.h"

typedef Executor__Admin__V1__AuditEntry entry_t;

enum { AUDIT_DEFAULT = 100, AUDIT_MOST = 10000 };

/* What is read, until it is all there. */
struct audit {
	struct wait *wait;
	struct view view;
	entry_t **entries;
	size_t count;
};

static void on_row(void *owner, const struct stored_audit *row)
{
	struct audit *a = owner;
	entry_t *to = view_take(&a->view, sizeof(*to));

	executor__admin__v1__audit_entry__init(to);
	to->ended_ms = (uint64_t)row->ended_ms;
	to->duration_us = row->duration_us;
	to->client_name = view_text(&a->view, row->client);
	to->source = view_text(&a->view, row->source);
	to->method = view_text(&a->view, view_bytes(&a->view, row->method));
	to->name = view_text(&a->view, view_bytes(&a->view, row->name));
	to->request_bytes = row->request_bytes;
	to->answer_bytes = row->answer_bytes;
	to->outcome = view_text(&a->view, row->outcome);
	a->entries[a->count++] = to;
}

static struct fate *answer_audit(struct wait *w)
{
	const struct audit *a = w->reading;
	Executor__Admin__V1__ListAuditResponse r;

	executor__admin__v1__list_audit_response__init(&r);
	r.entries = a->entries;
	r.n_entries = a->count;
	return call_reply(w->call, &r.base);
}

static void on_read(void *owner, const struct err *why)
{
	struct audit *a = owner;

	wait_done(a->wait, why);
	view_finish(&a->view);
	free(a);
}

struct fate *admin_list_audit(void *service, struct call *c,
			      struct slice request)
{
	struct admin *all = service;
	struct err e;

	const Executor__Admin__V1__ListAuditRequest *asked = admin_unpack(
		all, &executor__admin__v1__list_audit_request__descriptor,
		request, &e);
	if (!asked)
		return call_fail(c, &e);
	unsigned limit = asked->limit ? asked->limit : AUDIT_DEFAULT;
	if (limit > AUDIT_MOST)
		limit = AUDIT_MOST;
	struct audit *a = mem_zalloc(sizeof(*a));
	view_init(&a->view);
	a->entries = view_take(&a->view, limit * sizeof(*a->entries));
	a->wait = wait_new(all, c, answer_audit, "", "");
	a->wait->reading = a;
	store_audit_read(all->store, limit, on_row, on_read, a);
	return wait_begin(a->wait);
}
