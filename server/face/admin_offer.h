/*
 * admin_offer: a source that someone wants to add, or to change.
 *
 * No I/O: from an AddSourceRequest to what the store keeps, and from a
 * SetSourceRequest to what changes of it.  Checks what only
 * a message can get wrong; names and paths are the router's to judge.
 */
#ifndef SERVER_FACE_ADMIN_OFFER_H
#define SERVER_FACE_ADMIN_OFFER_H

#include <stdbool.h>

#include "server/face/admin_view.h"
#include "server/store/store.h"

struct err;

/* Fill *stored, in memory of the view.  ERR_INVALID_ARGUMENT says what is
 * wrong with it. */
bool offer_read(const Executor__Admin__V1__AddSourceRequest *asked,
		struct view *v, struct stored_source *stored, struct err *e);

/* What a SetSourceRequest changes, in memory of the view. */
bool offer_read_change(const Executor__Admin__V1__SetSourceRequest *asked,
		       struct view *v, struct stored_change *change,
		       struct err *e);

#endif
