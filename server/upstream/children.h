/*
 * children: which processes of sources there are, for a daemon that comes
 * after one that was killed.
 *
 * A child dies with us (child.h), what it started may not.  So the file
 * DIR/run/children names each child, by pid, time of its start and marker,
 * under the boot of the machine; it is replaced in one step, and gone when
 * there is no child.  A hint only: whoever reads it ends a group when pid,
 * time and boot are the same, and beside that whatever carries a marker.  The
 * file may be lost, and what cannot be written is told to the log once.
 */
#ifndef SERVER_UPSTREAM_CHILDREN_H
#define SERVER_UPSTREAM_CHILDREN_H

#include <sys/types.h>

struct children;

/* End at once what the file in run_dir still names.  Nobody else may have
 * children of that directory: the caller owns it. */
struct children *children_new(const char *run_dir);

/* A child was started, or is gone with all it had.  c may be NULL. */
void children_add(struct children *c, pid_t pid, const char *marker);
void children_remove(struct children *c, pid_t pid);

/* Leaves the file as it is.  c may be NULL. */
void children_free(struct children *c);

#endif
