/* wedge: loaded into a daemon by LD_PRELOAD, it hangs in accept4() for as long
 * as the file exists that $WEDGE names: a loop that has stopped turning. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int accept4(int fd, struct sockaddr *name, socklen_t *len, int flags)
{
	const char *file = getenv("WEDGE");

	while (file && access(file, F_OK) == 0)
		;
	return (int)syscall(SYS_accept4, fd, name, len, flags);
}
