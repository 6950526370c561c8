#include "election/ready.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer than any breaker rests; also what a forged line may ask for. */
enum { LONGEST_WAIT_MS = 60 * 1000, CODE_BYTES = 32 };

int ready_open(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return fd;
}

void ready_tell(int fd, const struct ready_line *line)
{
	char text[READY_LINE_BYTES];
	int len = 0;

	switch (line->kind) {
	case READY_LOST:
		len = snprintf(text, sizeof(text), "L\n");
		break;
	case READY_WON:
		len = snprintf(text, sizeof(text), "W %s\n", line->error.why);
		break;
	case READY_READY:
		len = snprintf(text, sizeof(text), "R\n");
		break;
	case READY_BREAKER:
		len = snprintf(text, sizeof(text), "B %" PRId64 " %s\n",
			       line->wait_ms, line->error.why);
		break;
	case READY_FAILED:
		len = snprintf(text, sizeof(text), "F %s %s\n",
			       line->error.code, line->error.why);
		break;
	}
	/* Whole or not at all; what cannot be told is not worth a wait. */
	if (fd >= 0 && len > 0 && len < (int)sizeof(text) &&
	    write(fd, text, (size_t)len) < 0)
		return;
}

static bool parse_breaker(const char *text, struct ready_line *line)
{
	char *end;
	long long ms = strtoll(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || (*end != ' ' && *end != '\0'))
		return false;
	line->wait_ms = ms < LONGEST_WAIT_MS ? ms : LONGEST_WAIT_MS;
	election_error_set(&line->error, "crash_loop", "%s",
			   *end == ' ' ? end + 1 : end);
	return true;
}

static bool parse_failure(const char *text, struct ready_line *line)
{
	char code[CODE_BYTES];
	size_t len = strcspn(text, " ");

	if (len == 0 || len >= sizeof(code))
		return false;
	memcpy(code, text, len);
	code[len] = '\0';
	election_error_set(&line->error, code, "%s",
			   text[len] == ' ' ? text + len + 1 : "");
	return true;
}

bool ready_parse(const char *text, struct ready_line *line)
{
	const char *rest = text[0] != '\0' && text[1] == ' ' ? text + 2 : "";

	if (text[0] != '\0' && text[1] != '\0' && text[1] != ' ')
		return false;
	*line = (struct ready_line){.error = {.code = "internal"}};
	switch (text[0]) {
	case 'L':
		line->kind = READY_LOST;
		return true;
	case 'W':
		line->kind = READY_WON;
		election_error_set(&line->error, "daemon_starting", "%s", rest);
		return true;
	case 'R':
		line->kind = READY_READY;
		return true;
	case 'B':
		line->kind = READY_BREAKER;
		return parse_breaker(rest, line);
	case 'F':
		line->kind = READY_FAILED;
		return parse_failure(rest, line);
	default:
		return false;
	}
}
