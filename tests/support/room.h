/*
 * room: a private directory for one test, and a store in it.
 */
#ifndef TESTS_SUPPORT_ROOM_H
#define TESTS_SUPPORT_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "server/store/store.h"

struct room {
	char dir[64];
	char db[96];
	char wal[96];
	char key[96];
	struct ev_loop *loop;
	struct store *store; /* NULL while closed */
};

/* What a store_done_fn was told. */
struct answer {
	int calls;
	enum reason reason;
	char text[ERR_TEXT_BYTES];
};

static inline void on_done(void *owner, const struct err *why)
{
	struct answer *a = owner;

	a->calls++;
	a->reason = why ? why->reason : ERR_NONE;
	snprintf(a->text, sizeof(a->text), "%s", why ? why->text : "");
}

static inline void room_open(struct room *r)
{
	struct err e = {0};

	r->store = store_open(r->loop, r->dir, &e);
	if (!r->store)
		print_error("%s\n", e.text);
	assert_non_null(r->store);
}

static inline void room_close(struct room *r)
{
	store_close(r->store);
	r->store = NULL;
}

/* The store must refuse to open, for this reason. */
static inline void room_refuses(struct room *r, enum reason reason,
				const char *text)
{
	struct err e = {0};

	assert_null(store_open(r->loop, r->dir, &e));
	if (e.reason != reason || !strstr(e.text, text))
		print_error("%s: %s\n", err_name(e.reason), e.text);
	assert_int_equal(e.reason, reason);
	assert_non_null(strstr(e.text, text));
}

/* Run until nothing is left to do. */
static inline void room_run(struct room *r)
{
	ev_run(r->loop, 0);
}

static inline int room_make(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/executor-room-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	snprintf(r->db, sizeof(r->db), "%s/executor.db", r->dir);
	snprintf(r->wal, sizeof(r->wal), "%s/executor.db-wal", r->dir);
	snprintf(r->key, sizeof(r->key), "%s/key", r->dir);
	r->loop = ev_loop_new(EVFLAG_AUTO);
	*state = r;
	return 0;
}

static inline int room_clear(void **state)
{
	struct room *r = *state;
	DIR *dir = opendir(r->dir);

	store_close(r->store);
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			unlinkat(dirfd(dir), d->d_name,
				 d->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	closedir(dir);
	int failed = rmdir(r->dir);
	ev_loop_destroy(r->loop);
	free(r);
	return failed;
}

#define room_test(name)                                                        \
	cmocka_unit_test_setup_teardown(name, room_make, room_clear)

/* The bytes of a file; empty when there is none. */
static inline struct buf file_read(const char *path)
{
	struct buf b = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return b;
	for (;;) {
		char *to = buf_reserve(&b, 65536);
		ssize_t n = read(fd, to, 65536);

		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
	}
	close(fd);
	return b;
}

static inline void file_write(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static inline bool file_holds(const char *path, const char *text)
{
	struct buf b = file_read(path);
	bool found = b.len > 0 && memmem(b.data, b.len, text, strlen(text));

	buf_finish(&b);
	return found;
}

static inline bool file_is(const char *path, const struct buf *bytes)
{
	struct buf b = file_read(path);
	bool same = slice_equal(buf_slice(&b), buf_slice(bytes));

	buf_finish(&b);
	return same;
}

static inline int file_mode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

/* --- sources -------------------------------------------------------------- */

static inline void add_source(struct room *r, const char *name,
			      const struct stored_env *env, size_t env_count,
			      struct answer *a)
{
	const char *const command[] = {"npx", "-y", "server", "", NULL};
	const struct stored_source source = {
		.name = name,
		.command = command,
		.cwd = "/home/someone",
		.env = env,
		.env_count = env_count,
	};

	store_source_add(r->store, &source, on_done, a);
}

/* Add one and run. */
static inline enum reason add_and_run(struct room *r, const char *name)
{
	struct answer a = {0};

	add_source(r, name, NULL, 0, &a);
	room_run(r);
	assert_int_equal(a.calls, 1);
	return a.reason;
}

/* The names of all sources, each with a space behind it. */
struct listing {
	char names[4096];
	int odd; /* sources that came with a reason why not */
	struct err why;
	struct answer end;
};

static inline void on_listed(void *owner, const struct stored_source *source,
			     const struct err *why)
{
	struct listing *l = owner;
	size_t len = strlen(l->names);

	snprintf(l->names + len, sizeof(l->names) - len, "%s ", source->name);
	if (!why)
		return;
	assert_int_equal(source->env_count, 0);
	l->odd++;
	l->why = *why;
}

static inline void on_list_end(void *owner, const struct err *why)
{
	struct listing *l = owner;

	on_done(&l->end, why);
}

static inline void list_sources(struct room *r, struct listing *l)
{
	*l = (struct listing){0};
	store_sources(r->store, on_listed, on_list_end, l);
	room_run(r);
	assert_int_equal(l->end.calls, 1);
}

#endif
