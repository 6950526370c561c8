#include "election/home.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/text.h"

enum { FIELDS = 7, FIELD_NAME = 0, FIELD_UID = 2, FIELD_HOME = 5 };

/* passwd(5): name:password:UID:GID:GECOS:directory:shell.  Splits in place;
 * false for a comment, a torn line or a NIS one ("+::::::"). */
static bool split(char *line, char *field[FIELDS])
{
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *at = line; at && n < FIELDS; n++) {
		field[n] = at;
		at = strchr(at, ':');
		if (at)
			*at++ = '\0';
	}
	return n == FIELDS && line[0] != '#' && line[0] != '+' &&
	       line[0] != '\0';
}

static bool is_uid(const char *text, uid_t uid)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n == uid;
}

void home_from(struct home *h, const char *env, FILE *passwd, uid_t uid)
{
	char *line = NULL;
	size_t cap = 0;

	*h = (struct home){NULL, NULL};
	if (env && env[0] == '/')
		h->dir = text_copy(env);
	while (passwd && !h->user && getline(&line, &cap, passwd) > 0) {
		char *field[FIELDS];

		if (!split(line, field) || !is_uid(field[FIELD_UID], uid))
			continue;
		h->user = text_copy(field[FIELD_NAME]);
		if (!h->dir && field[FIELD_HOME][0] == '/')
			h->dir = text_copy(field[FIELD_HOME]);
	}
	free(line);
}

void home_find(struct home *h)
{
	FILE *passwd = fopen("/etc/passwd", "re");

	home_from(h, getenv("HOME"), passwd, geteuid());
	if (passwd)
		fclose(passwd);
}

void home_finish(struct home *h)
{
	free(h->dir);
	free(h->user);
	*h = (struct home){NULL, NULL};
}
