/*
 * service: which gRPC methods there are, and who answers them.
 *
 * A service is a name, a table of methods and the object behind them.  A call
 * finds its row here by path.  Owned by the daemon.
 */
#ifndef SERVER_FACE_SERVICE_H
#define SERVER_FACE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct call;
struct fate;

/* One method; exactly one of the functions is set, and says of which kind it
 * is.  Each must end with a fate, that is with a function of call.h that
 * returns one; service is the object of its service. */
struct method {
	const char *name; /* "Check" */
	/* The one request has come, and the client's side has ended; its bytes
	 * are borrowed.  One message answers it. */
	struct fate *(*unary)(void *service, struct call *c,
			      struct slice request);
	/* The same, and any number of messages answers it. */
	struct fate *(*server_stream)(void *service, struct call *c,
				      struct slice request);
	/* The headers have come; messages come from now on, and one answers
	 * them all. */
	struct fate *(*client_stream)(void *service, struct call *c);
	/* The headers have come; messages flow both ways from now on. */
	struct fate *(*bidi)(void *service, struct call *c);
	/* The same for who frames messages itself, over call_h2(): the bytes
	 * of DATA come up as they are. */
	struct fate *(*raw)(void *service, struct call *c);
};

struct service {
	const char *name; /* "grpc.health.v1.Health" */
	const struct method *methods;
	size_t method_count;
	size_t limit_bytes; /* of one request message, when decompressed too */
	bool admin;	    /* on TCP only where the token grants it */
	void *object;	    /* the first argument of its methods */
};

enum { SERVICES_MAX = 16 };

/* A zeroed struct is an empty table. */
struct services {
	struct service list[SERVICES_MAX];
	size_t count;
	uint64_t calls; /* so far: numbers a call for the log */
	size_t open;	/* calls that are not closed */
};

/* Copies *s; what it points to is borrowed. */
void services_add(struct services *all, const struct service *s);

bool services_has(const struct services *all, struct slice name);

/* The method of "/package.Service/Method" and its service; NULL when there is
 * none. */
const struct method *services_find(const struct services *all,
				   struct slice path,
				   const struct service **service);

#endif
