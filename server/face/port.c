#include "server/face/port.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/h2.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "server/face/door.h"
#include "server/face/listener.h"
#include "server/face/peer.h"
#include "server/face/tcp.h"

/* How long a connection may take to show a token. */
static const double PATIENCE_S = 10;

struct port {
	struct ev_loop *loop; /* NULL: not open yet */
	int fd;		      /* bound; -1 once the listener has it */
	char url[TCP_URL_BYTES];
	struct door door;
	struct peers *peers;
	struct listener *listener;
	ev_timer cut; /* of what the old token opened */
};

static void on_cut(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct port *p = w->data;

	(void)loop;
	(void)revents;
	log_info("port", "%zu connections of the old token are closed",
		 peers_count(p->peers));
	peers_close(p->peers);
}

struct port *port_new(const struct tcp_address *a, bool admin, struct err *e)
{
	struct port *p = mem_zalloc(sizeof(*p));

	p->door.admin = admin;
	p->door.anywhere = !a->loopback;
	ev_timer_init(&p->cut, on_cut, 0., 0.);
	p->cut.data = p;
	p->fd = tcp_bind(a, e);
	if (p->fd >= 0 && tcp_url(p->fd, p->url, &p->door.port, e))
		return p;
	port_free(p);
	return NULL;
}

bool port_open(struct port *p, struct ev_loop *loop, struct services *services,
	       const struct bearer *token, const struct h2_limits *limits,
	       size_t connections, struct err *e)
{
	assert(!p->loop);
	if (!tcp_listen(p->fd, e))
		return false;
	p->loop = loop;
	p->door.token = *token;
	p->peers = peers_new(loop, services, limits);
	peers_guard(p->peers, &p->door, PATIENCE_S);
	p->listener = listener_new(loop, p->fd, p->peers, connections);
	p->fd = -1;
	if (p->door.anywhere)
		log_odd("port",
			"%s can be reached from other machines, and nothing "
			"there is encrypted",
			p->url);
	return true;
}

const char *port_url(const struct port *p)
{
	return p->url;
}

void port_rotate(struct port *p, const struct bearer *token)
{
	p->door.token = *token;
	/* The answer to whoever asked for this may be queued there. */
	ev_timer_set(&p->cut, 0., 0.);
	ev_timer_start(p->loop, &p->cut);
}

size_t port_peers(const struct port *p)
{
	return p->peers ? peers_count(p->peers) : 0;
}

size_t port_streams(const struct port *p)
{
	return p->peers ? peers_streams(p->peers) : 0;
}

void port_shut(struct port *p)
{
	listener_free(p->listener);
	p->listener = NULL;
}

void port_drain(struct port *p)
{
	if (p->peers)
		peers_drain(p->peers);
}

void port_free(struct port *p)
{
	if (!p)
		return;
	port_shut(p);
	if (p->loop)
		ev_timer_stop(p->loop, &p->cut);
	peers_free(p->peers);
	if (p->fd >= 0)
		close(p->fd);
	mem_wipe(&p->door, sizeof(p->door));
	free(p);
}
