#include "election/breaker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "election/file.h"

enum {
	FIRST_WAIT_MS = 250, /* doubled with each further failure */
	LONGEST_WAIT_MS = 30 * 1000,
	/* BREAKER_STARTS within this time open the breaker for so long. */
	OPEN_WITHIN_MS = 60 * 1000,
	OPEN_FOR_MS = 30 * 1000,
	MOST_FAILURES = 1000,
	RECORD_BYTES = 1024,
};

static const char record[] = "boot";

static bool parse(struct breaker *b, const char *text, int64_t now_ms)
{
	char starts[RECORD_BYTES];
	char failures[12];
	char *at = starts;

	if (!file_line(text, "boot_id", b->boot_id, sizeof(b->boot_id)) ||
	    !file_line(text, "failures", failures, sizeof(failures)) ||
	    !file_line(text, "starts", starts, sizeof(starts)) ||
	    !file_line(text, "cause", b->cause, sizeof(b->cause)))
		return false;
	unsigned long n = strtoul(failures, NULL, 10);
	if (n == 0 || n > MOST_FAILURES)
		return false;
	b->failures = (unsigned)n;
	for (size_t i = 0; i < BREAKER_STARTS; i++) {
		b->start_ms[i] = strtoll(at, &at, 10);
		/* A time of the future is of another clock (a container's),
		 * or one that was damaged. */
		if (b->start_ms[i] < 0 || b->start_ms[i] > now_ms)
			return false;
	}
	return true;
}

void breaker_read(struct breaker *b, int run_fd, const char *boot_id,
		  int64_t now_ms)
{
	char text[RECORD_BYTES];
	size_t len;

	*b = (struct breaker){0};
	if (file_read(run_fd, record, text, sizeof(text) - 1, &len)) {
		text[len] = '\0';
		if (parse(b, text, now_ms) && strcmp(b->boot_id, boot_id) == 0)
			return;
		*b = (struct breaker){0};
	}
	snprintf(b->boot_id, sizeof(b->boot_id), "%s", boot_id);
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms,
			unsigned char jitter)
{
	int64_t wait = FIRST_WAIT_MS;

	if (b->failures == 0)
		return 0;
	for (unsigned i = 1; i < b->failures && wait < LONGEST_WAIT_MS; i++)
		wait *= 2;
	if (wait > LONGEST_WAIT_MS)
		wait = LONGEST_WAIT_MS;
	wait = wait * 3 / 4 + wait / 2 * jitter / 255;
	if (b->failures >= BREAKER_STARTS &&
	    b->start_ms[0] - b->start_ms[BREAKER_STARTS - 1] < OPEN_WITHIN_MS &&
	    wait < OPEN_FOR_MS)
		wait = OPEN_FOR_MS;
	int64_t passed = now_ms - b->start_ms[0];
	return passed < wait ? wait - passed : 0;
}

static bool save(const struct breaker *b, int run_fd, const char *run,
		 struct election_error *e)
{
	char text[RECORD_BYTES];
	int len =
		snprintf(text, sizeof(text), "boot_id %s\nfailures %u\nstarts",
			 b->boot_id, b->failures);

	for (size_t i = 0; i < BREAKER_STARTS; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				" %" PRId64, b->start_ms[i]);
	len += snprintf(text + len, sizeof(text) - (size_t)len, "\ncause %s\n",
			b->cause);
	/* Not lasting: a power cut is another boot, and forgets it anyway. */
	return file_replace(run_fd, run, record, text, (size_t)len, false, e);
}

bool breaker_begin(struct breaker *b, int run_fd, const char *run,
		   int64_t now_ms, struct election_error *e)
{
	memmove(b->start_ms + 1, b->start_ms,
		sizeof(b->start_ms) - sizeof(b->start_ms[0]));
	b->start_ms[0] = now_ms;
	if (b->failures < MOST_FAILURES)
		b->failures++;
	return save(b, run_fd, run, e);
}

void breaker_blame(struct breaker *b, int run_fd, const char *run,
		   const char *cause)
{
	struct election_error e;

	snprintf(b->cause, sizeof(b->cause), "%s", cause);
	b->cause[strcspn(b->cause, "\n")] = '\0';
	/* The count is there already; the words are a courtesy. */
	save(b, run_fd, run, &e);
}

void breaker_end(struct breaker *b, int run_fd)
{
	b->failures = 0;
	unlinkat(run_fd, record, 0);
}

void breaker_undo(struct breaker *b, int run_fd, const char *run)
{
	struct election_error e;

	if (b->failures <= 1) {
		breaker_end(b, run_fd);
		return;
	}
	b->failures--;
	memmove(b->start_ms, b->start_ms + 1,
		sizeof(b->start_ms) - sizeof(b->start_ms[0]));
	save(b, run_fd, run, &e);
}
