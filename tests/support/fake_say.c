#include "tests/support/fake_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int modes;
static char *const *mode;

void fake_be(int argc, char *const *argv)
{
	modes = argc;
	mode = argv;
}

bool fake_is(const char *name)
{
	for (int i = 1; i < modes; i++)
		if (strcmp(mode[i], name) == 0)
			return true;
	return false;
}

long long fake_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void fake_write(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			exit(1);
		bytes += written;
		len -= (size_t)written;
	}
}

void fake_append_to(const char *variable, struct slice line)
{
	const char *path = getenv(variable);
	struct buf text = {0};

	if (!path)
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		exit(1);
	buf_append_slice(&text, line);
	buf_append_text(&text, "\n");
	fake_write(fd, text.data, text.len);
	buf_finish(&text);
	close(fd);
}

void fake_say(struct buf *message)
{
	struct buf line = {0};

	if (fake_is("garbage"))
		buf_append_text(&line, "starting up...\n\n{\"half\":\n");
	buf_append_text(&line, fake_is("batch") ? "[" : "");
	buf_append_slice(&line, buf_slice(message));
	buf_append_text(&line, fake_is("batch") ? "]\n" : "\n");
	fake_write(STDOUT_FILENO, line.data, line.len);
	buf_finish(&line);
	buf_finish(message);
}

void fake_say_text(const char *message)
{
	struct buf text = {0};

	buf_append_text(&text, message);
	fake_say(&text);
}

void fake_answer(struct slice id, const char *result)
{
	struct buf message = {0};

	jsonrpc_result(&message, id, slice_of(result));
	fake_say(&message);
}

void fake_refuse(struct slice id, enum reason reason, const char *text)
{
	struct buf message = {0};
	struct err e;

	err_set(&e, reason, "%s", text);
	jsonrpc_error(&message, id, &e, NULL);
	fake_say(&message);
}
