/*
 * home: who the person is and where they live, without NSS.
 *
 * The adapter is static, and a static program cannot load the modules that
 * getpwuid() wants: /etc/passwd is read as the text that it is.  Someone who
 * is not in it (LDAP) has HOME.
 */
#ifndef ELECTION_HOME_H
#define ELECTION_HOME_H

#include <stdio.h>
#include <sys/types.h>

struct home {
	char *dir;  /* absolute */
	char *user; /* the login name, or NULL */
};

/* The home of our euid: HOME when it is absolute, else /etc/passwd's.  Both
 * members NULL when there is none. */
void home_find(struct home *h);

/* The same from a given HOME (or NULL) and an open passwd (or NULL). */
void home_from(struct home *h, const char *env, FILE *passwd, uid_t uid);

void home_finish(struct home *h);

#endif
