#include "adapter/cli/units.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/sibling.h"
#include "election/home.h"
#include "election/manifest.h"
#include "proto/buf.h"
#include "proto/err.h"
#include "proto/mem.h"

/* systemd.unit(5), Specifiers: "%%" is a percent sign.  systemd.service(5),
 * Command lines: quotes keep spaces; behind the program "$$" is a dollar
 * sign. */
enum place { PLACE_SETTING, PLACE_PROGRAM, PLACE_ARGUMENT };

static bool append_path(struct buf *to, const char *path, enum place place,
			struct err *e)
{
	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "a unit cannot hold the control "
				       "character in a path: name another "
				       "--data-dir");
	bool quoted = place != PLACE_SETTING;
	if (quoted)
		buf_append_text(to, "\"");
	for (const char *c = path; *c != '\0'; c++) {
		if (*c == '%' || (place == PLACE_ARGUMENT && *c == '$'))
			buf_append(to, c, 1);
		if (quoted && (*c == '"' || *c == '\\'))
			buf_append_text(to, "\\");
		buf_append(to, c, 1);
	}
	if (quoted)
		buf_append_text(to, "\"");
	return true;
}

/* key=[prefix]"program" --data-dir "dir" rest */
static bool append_command(struct buf *to, const char *key, const char *program,
			   const char *data_dir, const char *rest,
			   struct err *e)
{
	char *path = sibling_path(NULL, program);
	bool ok = path[0] == '/' ||
		  err_set(e, ERR_NOT_FOUND, "%s is not installed", program);

	buf_append_text(to, key);
	ok = ok && append_path(to, path, PLACE_PROGRAM, e);
	buf_append_text(to, " --data-dir ");
	ok = ok && append_path(to, data_dir, PLACE_ARGUMENT, e);
	buf_append_text(to, rest);
	free(path);
	return ok;
}

bool units_service(struct buf *to, const char *data_dir, struct err *e)
{
	buf_append_text(to,
			"# Written by `executor service install`.\n"
			"[Unit]\n"
			"Description=Executor, the owner of AI agents' tools\n"
			"\n"
			"[Service]\n"
			"Type=notify\n"
			"# A daemon that a client started makes way.\n");
	if (!append_command(to, "ExecStartPre=-", "executor", data_dir,
			    " --quiet daemon stop\n", e) ||
	    !append_command(to, "ExecStart=", "executord", data_dir,
			    " --idle-exit 0\n", e))
		return false;
	buf_append_text(to, "Restart=on-failure\n"
			    "RestartSec=5\n"
			    "RestartPreventExitStatus=2\n"
			    "TimeoutStopSec=30\n"
			    "WatchdogSec=60\n"
			    "KillMode=mixed\n"
			    "UMask=0077\n"
			    "\n"
			    "[Install]\n"
			    "WantedBy=default.target\n");
	return true;
}

bool units_socket(struct buf *to, const char *data_dir, struct err *e)
{
	static const char name[] = "/run/activation.sock";

	if (strlen(data_dir) + sizeof(name) > MANIFEST_PATH_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%s%s is too long for a socket (%d bytes at "
			       "most): name another --data-dir",
			       data_dir, name, MANIFEST_PATH_BYTES - 1);
	buf_append_text(to,
			"# Written by `executor service install`.\n"
			"[Unit]\n"
			"Description=Executor, for programs that cannot start "
			"it\n"
			"\n"
			"[Socket]\n"
			"ListenStream=");
	if (!append_path(to, data_dir, PLACE_SETTING, e))
		return false;
	buf_append_text(to, name);
	buf_append_text(to, "\n"
			    "SocketMode=0600\n"
			    "DirectoryMode=0700\n"
			    "FileDescriptorName=executor\n"
			    "RemoveOnStop=yes\n"
			    "\n"
			    "[Install]\n"
			    "WantedBy=sockets.target\n");
	return true;
}

char *units_dir(struct err *e)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	struct buf path = {0};
	struct home home;
	char *text = NULL;

	home_find(&home);
	if (config && config[0] == '/')
		buf_printf(&path, "%s/systemd/user", config);
	else if (home.dir)
		buf_printf(&path, "%s/.config/systemd/user", home.dir);
	home_finish(&home);
	if (path.len > 0)
		text = mem_ntext(path.data, path.len);
	else
		err_set(e, ERR_NOT_FOUND,
			"there is no home directory: set HOME");
	buf_finish(&path);
	return text;
}
