/*
 * log: one event, one line.
 *
 *   2026-01-31T12:00:00.123Z info  session id=1f.. message
 *
 * Lines go to a descriptor that the program chose, by one write each.  Levels
 * say what the reader must do.  Never a secret, never the contents of a
 * message.
 */
#ifndef PROTO_LOG_H
#define PROTO_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_DEBUG,  /* nothing */
	LOG_INFO,   /* nothing now */
	LOG_ODD,    /* look when you can */
	LOG_BROKEN, /* look now */
	LOG_OFF,
};

/* Where lines go and which.  Before the first call: stderr, LOG_ODD.  A write
 * that would block is dropped. */
void log_open(int fd, enum log_level least);

/* Where lines go now.  Async-signal-safe. */
int log_fd(void);

/* At most this many bytes in the program's life, then silence; for a stderr
 * that nobody may be reading.  0 is no bound. */
void log_bound(unsigned long bytes);

/* "debug", "info", "odd", "broken" or "off". */
bool log_level_parse(const char *text, enum log_level *level);

bool log_on(enum log_level level);

void log_line(enum log_level level, const char *area, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(area, ...)                                                   \
	(log_on(LOG_DEBUG) ? log_line(LOG_DEBUG, area, __VA_ARGS__) : (void)0)
#define log_info(area, ...)   log_line(LOG_INFO, area, __VA_ARGS__)
#define log_odd(area, ...)    log_line(LOG_ODD, area, __VA_ARGS__)
#define log_broken(area, ...) log_line(LOG_BROKEN, area, __VA_ARGS__)

#endif
