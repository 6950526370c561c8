#include "proto/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

static const char *const names[] = {
	[LOG_DEBUG] = "debug",	 [LOG_INFO] = "info", [LOG_ODD] = "odd",
	[LOG_BROKEN] = "broken", [LOG_OFF] = "off",
};

static struct {
	int fd;
	enum log_level least;
	bool bounded;
	unsigned long left_bytes;
} log_state = {STDERR_FILENO, LOG_ODD, false, 0};

void log_open(int fd, enum log_level least)
{
	log_state.fd = fd;
	log_state.least = least;
}

int log_fd(void)
{
	return log_state.fd;
}

void log_bound(unsigned long bytes)
{
	log_state.bounded = bytes != 0;
	log_state.left_bytes = bytes;
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*level = (enum log_level)i;
		return true;
	}
	return false;
}

bool log_on(enum log_level level)
{
	return level >= log_state.least;
}

/* Keep one event one line, whatever a peer put into a name. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LINE_BYTES];
	struct timespec now;
	struct tm utc;
	va_list ap;

	if (!log_on(level))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
	int n = snprintf(line + len, sizeof(line) - len, ".%03ldZ %-6s %-8s ",
			 now.tv_nsec / 1000000, names[level], area);
	len += (size_t)n;
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	flatten(line);
	len = strlen(line);
	line[len++] = '\n';

	if (log_state.bounded) {
		if (log_state.left_bytes < len)
			return;
		log_state.left_bytes -= len;
	}
	struct pollfd ready = {.fd = log_state.fd, .events = POLLOUT};
	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT)) {
		ssize_t written = write(log_state.fd, line, len);
		(void)written; /* there is nobody to tell */
	}
}
