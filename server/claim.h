/*
 * claim: become the owner of the data directory, or let another one.
 *
 * The port is bound before the lock is taken: one that somebody else has is no
 * failed start of this directory's daemon, which others would have to wait
 * for.
 */
#ifndef SERVER_CLAIM_H
#define SERVER_CLAIM_H

#include <stdbool.h>

struct config;
struct err;
struct hub;
struct owner;
struct port;

/* Take the lock.  *o, which the caller frees, is set when it is ours; else the
 * exit status says what came between: the starter has heard it, and so has
 * the person who started this by hand.  *data_dir is canonical, or NULL,
 * *port bound, or NULL when none was asked for; both are the caller's. */
int claim(const struct config *config, struct owner **o, char **data_dir,
	  struct port **port);

/* Listen on a socket of our own, serve it and the port (the hub's from now on;
 * *port may be NULL), and hang out the manifest.  An owner that cannot be found
 * must not live: any error ends it. */
bool publish(struct owner *o, struct hub *h, struct port **port, struct err *e);

/* The directory, which is ours, wants a newer program, this one: become it.
 * Returns, having said why, when that is not possible; program may be NULL. */
void yield(struct owner *o, const struct config *config, const char *program);

#endif
