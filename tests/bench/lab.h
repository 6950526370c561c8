/*
 * lab: a private home directory, and the processes that are measured in it.
 *
 * A process is spoken to in lines over blocking pipes.  Whatever goes wrong
 * ends the run: a figure of work whose answer was wrong is worth nothing.
 */
#ifndef TESTS_BENCH_LAB_H
#define TESTS_BENCH_LAB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/buf.h"
#include "proto/jsonrpc.h"

struct party {
	pid_t pid;
	int to;
	int from;
	struct buf heard; /* a line is handed out where it lies */
	size_t used;	  /* of heard, by the line handed out last */
};

/* Say why, end every party and the daemon, remove the directory, exit 1. */
_Noreturn void lab_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* bin: where the programs under test are; the floors lie beside this one. */
void lab_open(const char *bin);
void lab_close(void);

/* Another home directory: no daemon, no database. */
void lab_fresh(void);

/* How the source is to lie, for the tests: echo_source's argument, or NULL. */
extern const char *lab_lie;

/* Paths, kept until the program ends. */
const char *lab_program(const char *name);
const char *lab_floor(const char *name);
/* In the home directory; the next call but three overwrites it. */
const char *lab_path(const char *name);

/* Wait until there is such a file. */
void lab_await(const char *path);

/* A port that was free a moment ago, for what takes no 0. */
void lab_free_port(char port[8]);
/* Wait until somebody listens there. */
void lab_await_port(const char *port);

/* Start argv, argv[0] being a path, in a process group of its own; ends with
 * the lab if not before. */
void party_start(struct party *p, const char *const argv[]);
void party_say(const struct party *p, struct slice bytes);
/* The next line without its newline; waits. */
struct slice party_hear(struct party *p);
/* Is there another line in what was read already? */
bool party_has_line(const struct party *p);
/* Close its stdin, wait, and expect exit status 0. */
void party_end(struct party *p);

/* End it and its group by signals, for what does not end with its stdin. */
void party_kill(struct party *p);

/* Run to the end; its exit status must be 0. */
void lab_run(const char *const argv[]);

/* An adapter in this home. */
void lab_adapter(struct party *p);

/* Say initialize (id 0) and initialized; hear the answer. */
void lab_initialize(struct party *p);
extern const char lab_initialize_text[]; /* both lines */
extern const char lab_list_text[];	 /* tools/list, id 1 */

/* The same, and have the tools listed (id 1): only then there is a session,
 * and its daemon answers a ping. */
void lab_attach(struct party *p);

/* Hear the response with that id; anything but responses is skipped. */
struct jsonrpc lab_answer(struct party *p, uint64_t id);
/* Is the line that, and not a notification? */
bool lab_is_answer(struct slice line, uint64_t id, struct jsonrpc *m);
/* The response is the list of tools, and holds that one. */
void lab_check_tools(const struct jsonrpc *m, const char *name);

/* The daemon's pid, by its manifest; there must be one. */
pid_t lab_daemon(void);
uint64_t lab_epoch(void);
void lab_stop(void); /* the daemon, in good order */

/* The number behind name in /proc/PID/file, lines of "name: number". */
double lab_number(pid_t pid, const char *file, const char *name);
/* The same of its memory map, e.g. "Private_Dirty".  executord shows that to
 * root alone: to others its anonymous memory, which is the same within a few
 * pages, and -1 for anything else. */
double lab_kib(pid_t pid, const char *what);

/* Time that its threads have had a processor, in ns. */
double lab_cpu_ns(pid_t pid);

int64_t now_ns(void);

#endif
