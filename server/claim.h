/*
 * claim: become the owner of the data directory, or say who is.
 */
#ifndef SERVER_CLAIM_H
#define SERVER_CLAIM_H

struct config;
struct owner;

/* Take the lock.  *o, which the caller frees, is set when it is ours; else the
 * exit status says what came between: the starter has heard it, and so has
 * the person who started this by hand.  *data_dir is canonical, or NULL, and
 * the caller's. */
int claim(const struct config *config, struct owner **o, char **data_dir);

#endif
