#include "server/store/walfile.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	HELD_BYTES = 32 * 1024,
	LOG_HEADER_BYTES = 32,
	FRAME_HEADER_BYTES = 24,
	FRAME_COMMITS_AT = 4, /* in it: not 0 in a frame that commits */
};

/* Owned by SQLite, which allocates it with the real one's room behind it. */
struct walfile {
	sqlite3_file base;
	sqlite3_file *real;
	unsigned char *held;
	int len;
	bool commits;	    /* so said the last frame's header */
	sqlite3_int64 at;   /* where what is held belongs */
	sqlite3_int64 end;  /* where the last write ended */
	sqlite3_int64 lost; /* where what was lost began */
};

static struct walfile *walfile_of(sqlite3_file *file)
{
	return (struct walfile *)(void *)file;
}

/* --- what is held --------------------------------------------------------- */

static int write_held(struct walfile *w)
{
	int len = w->len;

	if (len == 0)
		return SQLITE_OK;
	w->len = 0;
	int rc = w->real->pMethods->xWrite(w->real, w->held, len, w->at);
	if (rc != SQLITE_OK && w->at < w->lost)
		w->lost = w->at;
	return rc;
}

static void hold(struct walfile *w, const void *bytes, int n,
		 sqlite3_int64 offset)
{
	if (w->len == 0)
		w->at = offset;
	memcpy(w->held + w->len, bytes, (size_t)n);
	w->len += n;
}

/* A header, of the log or of a frame, where or before what was lost began:
 * SQLite writes all that follows anew. */
static bool begins_again(const struct walfile *w, int n, sqlite3_int64 offset)
{
	return offset <= w->lost &&
	       (n == FRAME_HEADER_BYTES || n == LOG_HEADER_BYTES);
}

/* Does this end a transaction?  A frame is its header and a page. */
static bool ends(struct walfile *w, const unsigned char *bytes, int n)
{
	static const unsigned char no[4];

	if (n != FRAME_HEADER_BYTES)
		return w->commits;
	w->commits = memcmp(bytes + FRAME_COMMITS_AT, no, sizeof(no)) != 0;
	return false;
}

/* --- the file ------------------------------------------------------------- */

static int on_write(sqlite3_file *file, const void *bytes, int n,
		    sqlite3_int64 offset)
{
	struct walfile *w = walfile_of(file);
	bool goes_on = offset == w->end;
	int rc = SQLITE_OK;

	if (begins_again(w, n, offset))
		w->lost = INT64_MAX;
	if (offset + n > w->lost)
		return SQLITE_IOERR_WRITE;
	if (!goes_on || n > HELD_BYTES - w->len)
		rc = write_held(w);
	if (rc != SQLITE_OK)
		return rc;
	w->end = offset + n;
	if (n > HELD_BYTES)
		return w->real->pMethods->xWrite(w->real, bytes, n, offset);
	hold(w, bytes, n, offset);
	return ends(w, bytes, n) || !goes_on ? write_held(w) : SQLITE_OK;
}

static int on_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
	struct walfile *w = walfile_of(file);
	int rc = write_held(w);

	if (rc != SQLITE_OK)
		return rc;
	if (offset + n > w->lost)
		return SQLITE_IOERR_READ;
	return w->real->pMethods->xRead(w->real, to, n, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct walfile *w = walfile_of(file);
	int rc = write_held(w);

	return rc == SQLITE_OK ? w->real->pMethods->xTruncate(w->real, size)
			       : rc;
}

static int on_sync(sqlite3_file *file, int flags)
{
	struct walfile *w = walfile_of(file);
	int rc = write_held(w);

	return rc == SQLITE_OK ? w->real->pMethods->xSync(w->real, flags) : rc;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct walfile *w = walfile_of(file);
	int rc = write_held(w);

	return rc == SQLITE_OK ? w->real->pMethods->xFileSize(w->real, size)
			       : rc;
}

/* What is still held is of a transaction that never came to its end. */
static int on_close(sqlite3_file *file)
{
	struct walfile *w = walfile_of(file);

	sqlite3_free(w->held);
	return w->real->pMethods->xClose(w->real);
}

static int on_lock(sqlite3_file *file, int level)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xLock(real, level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xUnlock(real, level);
}

static int on_check_lock(sqlite3_file *file, int *is_locked)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xCheckReservedLock(real, is_locked);
}

static int on_control(sqlite3_file *file, int op, void *argument)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xFileControl(real, op, argument);
}

static int on_sector_size(sqlite3_file *file)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xSectorSize(real);
}

static int on_characteristics(sqlite3_file *file)
{
	sqlite3_file *real = walfile_of(file)->real;

	return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* a log is neither shared nor mapped */
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
};

/* --- the VFS -------------------------------------------------------------- */

static sqlite3_vfs *ground; /* SQLite's own */

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file,
		   int flags, int *out_flags)
{
	struct walfile *w = walfile_of(file);

	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return ground->xOpen(ground, path, file, flags, out_flags);
	*w = (struct walfile){.end = -1, .lost = INT64_MAX};
	w->held = sqlite3_malloc(HELD_BYTES);
	if (!w->held)
		return SQLITE_NOMEM;
	w->real = (sqlite3_file *)(void *)(w + 1);
	int rc = ground->xOpen(ground, path, w->real, flags, out_flags);
	if (rc != SQLITE_OK) {
		sqlite3_free(w->held);
		return rc;
	}
	w->base.pMethods = &methods;
	return SQLITE_OK;
}

const char *walfile_vfs(void)
{
	static sqlite3_vfs ours;

	if (!ground)
		ground = sqlite3_vfs_find(NULL);
	if (!ground)
		return NULL;
	/* But for opening a file it is SQLite's own. */
	if (!ours.zName) {
		ours = *ground;
		ours.zName = "executor";
		ours.szOsFile += (int)sizeof(struct walfile);
		ours.xOpen = on_open;
	}
	return sqlite3_vfs_register(&ours, 0) == SQLITE_OK ? ours.zName : NULL;
}
