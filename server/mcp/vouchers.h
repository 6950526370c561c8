/*
 * vouchers: the daemons that kept a journal.
 *
 * A session's id begins with bytes of the instance of the daemon that opened
 * it.  If that one kept a journal, and its time is not over, a request of the
 * session that has no row was never passed on.  Owned by the journaling.
 */
#ifndef SERVER_MCP_VOUCHERS_H
#define SERVER_MCP_VOUCHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/list.h"
#include "proto/slice.h"

struct stored_daemon;

enum { VOUCHER_BYTES = 8 }; /* of an instance, in a session's id */

struct vouchers {
	struct list daemons;
};

void vouchers_init(struct vouchers *v);

/* Borrows. */
void vouchers_add(struct vouchers *v, const struct stored_daemon *daemon);

/* Those that began up to then vouch for nothing any more. */
void vouchers_expire(struct vouchers *v, int64_t began_ms);

/* Did one of them open the session of that id? */
bool vouchers_have(const struct vouchers *v, struct slice session);

void vouchers_finish(struct vouchers *v);

#endif
