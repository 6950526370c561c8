#include "election/notice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "election/file.h"

static const char manifest_name[] = "manifest";
static const char link_name[] = NOTICE_LINK;
static const char link_fresh[] = NOTICE_LINK ".new";

bool notice_write(struct notice *n, const struct manifest *m, bool below_run,
		  struct election_error *e)
{
	const char *name = strrchr(m->socket, '/');

	n->len = manifest_print(m, n->text, sizeof(n->text));
	if (n->len == 0 || !name)
		return election_error_set(e, "invalid_argument",
					  "the manifest cannot be written: a "
					  "value is empty, too long or has "
					  "control characters");
	snprintf(n->target, sizeof(n->target), "%s%s", below_run ? "s" : "",
		 below_run ? name : m->socket);
	return true;
}

static bool manifest_is_mine(const struct notice *n, int run_fd)
{
	char found[NOTICE_TEXT_BYTES];
	size_t len;

	return file_read(run_fd, manifest_name, found, sizeof(found), &len) &&
	       len == n->len && memcmp(found, n->text, len) == 0;
}

/* Not synced: whom it leads to does not survive a power cut, and what such a
 * one leaves of it is a hint like any other. */
static bool post_manifest(const struct notice *n, int run_fd, const char *run,
			  struct election_error *e)
{
	return file_replace(run_fd, run, manifest_name, n->text, n->len, false,
			    e);
}

static bool link_is_mine(const struct notice *n, int run_fd)
{
	char found[MANIFEST_PATH_BYTES];
	ssize_t len = readlinkat(run_fd, link_name, found, sizeof(found));

	return len == (ssize_t)strlen(n->target) &&
	       memcmp(found, n->target, (size_t)len) == 0;
}

static bool move_link(const struct notice *n, int run_fd, const char *run,
		      struct election_error *e)
{
	unlinkat(run_fd, link_fresh, 0);
	if (symlinkat(n->target, run_fd, link_fresh) == 0 &&
	    renameat(run_fd, link_fresh, run_fd, link_name) == 0)
		return true;
	return election_error_sys(e, "io_error", "cannot move %s/%s", run,
				  link_name);
}

bool notice_post(const struct notice *n, int run_fd, const char *run,
		 struct election_error *e)
{
	return post_manifest(n, run_fd, run, e) && move_link(n, run_fd, run, e);
}

bool notice_keep(const struct notice *n, int run_fd, const char *run,
		 struct election_error *e)
{
	if (!manifest_is_mine(n, run_fd) && !post_manifest(n, run_fd, run, e))
		return false;
	if (!link_is_mine(n, run_fd))
		move_link(n, run_fd, run, e);
	return true;
}

void notice_remove(const struct notice *n, int run_fd)
{
	if (manifest_is_mine(n, run_fd))
		unlinkat(run_fd, manifest_name, 0);
	if (link_is_mine(n, run_fd))
		unlinkat(run_fd, link_name, 0);
}

bool notice_drop_stale(int run_fd, const char *run, struct election_error *e)
{
	if (unlinkat(run_fd, manifest_name, 0) == 0 || errno == ENOENT)
		return true;
	return election_error_sys(e, "io_error", "cannot remove %s/%s", run,
				  manifest_name);
}
