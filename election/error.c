#include "election/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Every word that election/ says itself or that a daemon may say of its own
 * failed start. */
static const char *const codes[] = {
	"already_exists",    "corrupt",	       "crash_loop",
	"daemon_starting",   "daemon_stopped", "daemon_unreachable",
	"fs_no_locks",	     "internal",       "invalid_argument",
	"io_error",	     "mismatch",       "network_fs",
	"no_descriptors",    "no_processes",   "no_space",
	"not_found",	     "not_running",    "overloaded",
	"permission_denied", "read_only",      "store",
	"version",	     "wrong_owner",
};

/* Errors of the machine that are the same wherever they come up. */
static const struct condition {
	int number;
	const char *code;
	const char *advice;
} conditions[] = {
	{ENOSPC, "no_space", "free some space"},
	{EDQUOT, "no_space", "free some space"},
	{EROFS, "read_only", "make it writable, or give another --data-dir"},
	{EMFILE, "no_descriptors", "raise `ulimit -n`"},
	{ENFILE, "no_descriptors", "raise the sysctl fs.file-max"},
};

static const struct condition *condition_of(int number)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (conditions[i].number == number)
			return &conditions[i];
	return NULL;
}

/* One event is one line, whatever a path or a candidate put into it; and it
 * ends with a whole character, though snprintf may have cut one in two. */
static void make_presentable(char *text)
{
	size_t last = 0;
	size_t len = 0;

	for (; text[len]; len++) {
		unsigned char c = (unsigned char)text[len];

		if (c < 0x20 || c == 0x7f)
			text[len] = ' ';
		if ((c & 0xc0) != 0x80)
			last = len;
	}
	unsigned char lead = (unsigned char)text[last];
	size_t need = lead >= 0xf0   ? 4
		      : lead >= 0xe0 ? 3
		      : lead >= 0xc0 ? 2
				     : 1;
	if (len - last < need)
		text[last] = '\0';
}

const char *election_error_code(const char *word)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(word, codes[i]) == 0)
			return codes[i];
	return "internal";
}

bool election_error_set(struct election_error *e, const char *code,
			const char *fmt, ...)
{
	va_list ap;

	e->code = election_error_code(code);
	va_start(ap, fmt);
	vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	make_presentable(e->why);
	return false;
}

bool election_error_sys(struct election_error *e, const char *code,
			const char *fmt, ...)
{
	int number = errno;
	va_list ap;

	const struct condition *c = condition_of(number);
	e->code = election_error_code(c ? c->code : code);
	va_start(ap, fmt);
	vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	size_t len = strlen(e->why);
	snprintf(e->why + len, sizeof(e->why) - len, ": %s%s%s",
		 strerror(number), c ? "; " : "", c ? c->advice : "");
	make_presentable(e->why);
	return false;
}
